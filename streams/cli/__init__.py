"""The command line, `tocsin`."""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from streams.cli import (
    dead_letters,
    deadlines,
    deliveries,
    doctor,
    edge,
    incidents,
    pages,
    policy,
    reviews,
    run,
)
from streams.cli.output import say

app = typer.Typer(
    cls=edge.Root,
    name="tocsin",
    help="Event-driven incident management: alerts become incidents that page, escalate and resolve.",
    epilog=edge.CODES,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:  # noqa: FBT001 (Typer's signature)
    if asked:
        say(f"tocsin {version('tocsin')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Event-driven incident management: alerts become incidents that page, escalate and resolve."""


for part in (run, incidents, pages, deliveries, deadlines, reviews, dead_letters, policy, doctor):
    part.register(app)


def main() -> None:
    """The entry point: ends the process, with one line for whatever went wrong."""
    sys.excepthook = edge.on_bug
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8
    typer.main.get_command(app)()
