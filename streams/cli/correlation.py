"""`tocsin merge`, `split` and `freeze`: which incidents belong together."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.client import By, connect
from streams.cli.commands import give, too_late
from streams.cli.numbers import Number, whole_number
from streams.cli.output import AsJson, say


def merge(
    number: Number,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The incident that it is part of.")],
    *,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Attaches an incident to another, which pages for both; whoever merges it has it."""
    with connect() as client:
        other = whole_number(client, into)
    if answer := give(number, "merge", {"by": by, "into": other}, as_json=as_json):
        one = answer.incident
        done = f"{one.number} is attached to {one.attached_to}"
        say(f"{done}, which pages for both." if answer.changed else too_late(one, f"{done} already"))


def split(number: Number, *, by: By, as_json: AsJson = False) -> None:
    """Takes an incident out of what it is attached to: it pages for itself."""
    if answer := give(number, "split", {"by": by}, as_json=as_json):
        one = answer.incident
        paged = f"{one.level} is paged" if one.level else "its priority pages nobody"
        say(
            f"{one.number} is on its own again; {paged}."
            if answer.changed
            else too_late(one, f"{one.number} is attached to nothing")
        )


def freeze(
    number: Number,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Let it take alerts again.")] = False,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Lets an incident take no more alerts: new ones open an incident beside it."""
    if answer := give(number, "freeze", {"by": by, "frozen": not undo}, as_json=as_json):
        one = answer.incident
        how = "takes no more alerts; new ones open an incident beside it" if one.frozen else "takes alerts again"
        say(f"{one.number} {how}." if answer.changed else too_late(one, f"{one.number} {how.replace(' again', '')}"))


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (merge, split, freeze):
        app.command()(command)
