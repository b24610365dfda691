"""`tocsin assign`: who has which role in an incident."""

from __future__ import annotations

from typing import Annotated

import typer

from models.role import Role
from streams.cli.client import By
from streams.cli.commands import give, too_late
from streams.cli.edge import Code, Fault
from streams.cli.numbers import Number
from streams.cli.output import AsJson, say


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
        done = f"{one.number}: {person or 'nobody'} is {role.words}."
        say(done if answer.changed else too_late(one))


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(assign)
