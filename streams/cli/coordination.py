"""`tocsin assign` and `tocsin checklist`: who has which role in an incident, and what is done already."""

from __future__ import annotations

from typing import Annotated

import typer

from models.role import Role
from streams.cli.client import By, connect, read
from streams.cli.commands import give, settled, too_late
from streams.cli.edge import Code, Fault
from streams.cli.numbers import Number, whole_number
from streams.cli.output import AsJson, say, say_json, say_table
from streams.web.api_coordination import ChecklistView


def assign(
    number: Number,
    role: Annotated[Role, typer.Argument(case_sensitive=False)],
    person: Annotated[str | None, typer.Argument(help="Who takes it.")] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Whoever has the role gives it back.")] = False,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Gives a role in an incident to somebody."""
    if release == (person is not None):
        raise Fault("name who takes the role, or say --release", Code.USAGE)
    if answer := give(number, "roles", {"role": role, "person": person, "by": by}, as_json=as_json):
        one = answer.incident
        done = f"{one.number}: {person or 'nobody'} is {role.words}"
        say(f"{done}." if answer.changed else too_late(one, f"{done} already"))


def reassign(
    number: Number,
    *,
    chain: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of the policy's escalations; else that of the service.")
    ] = None,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Gives an incident the policy in force now, or another chain of it."""
    if answer := give(number, "policy", {"chain": chain, "by": by}, as_json=as_json):
        one = answer.incident
        whom = f"; {one.level} was paged last" if one.level and one.status == "triggered" else ""
        done = f"{one.number} goes by policy version {one.policy_version}, chain {chain or 'of its service'}{whom}."
        say(done if answer.changed else too_late(one, f"{one.number} goes by that policy and chain already"))


def checklist(
    number: Number,
    *,
    tick: Annotated[list[int] | None, typer.Option(min=1, help="This step is done. May be repeated.")] = None,
    untick: Annotated[list[int] | None, typer.Option(min=1, help="This step is not done after all.")] = None,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Shows what is to be done in an incident of this kind, and ticks off what is done."""
    steps = [*((step, True) for step in tick or ()), *((step, False) for step in untick or ())]
    with connect() as client:
        whole = whole_number(client, number)
        for step, done in steps:
            settled(
                client.post("incidents", whole, "checklist", body={"step": step, "done": done, "by": by}), as_json=False
            )
        answer = client.get("incidents", whole, "checklist")
    if as_json:
        say_json(answer)
        return
    known = read(ChecklistView, answer)
    if known.name:
        say(f"{known.number}, checklist {known.name}: {known.done} of {len(known.steps)} done")
    rows = [(step.number, step.phase, step.ticked_by or "-", step.text) for step in known.steps]
    say_table(("step", "phase", "done by", "what"), rows, "No checklist belongs to this kind of incident.", whole=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (assign, checklist, reassign):
        app.command()(command)
