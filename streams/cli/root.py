"""The whole command line: which module has which command. Loads what a command needs and nothing else."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Final

import typer

from streams.cli import edge
from streams.cli.output import say

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "streams.cli.run": ("up", "web", "worker", "migrate", "demo"),
    "streams.cli.incidents": ("incidents", "explain"),
    "streams.cli.commands": ("declare", "ack", "resolve", "escalate", "update", "severity"),
    "streams.cli.coordination": ("assign", "checklist", "reassign"),
    "streams.cli.correlation": ("merge", "split", "freeze"),
    "streams.cli.pages": ("page",),
    "streams.cli.deliveries": ("deliveries",),
    "streams.cli.deadlines": ("deadlines",),
    "streams.cli.heartbeats": ("heartbeats",),
    "streams.cli.reviews": ("action-items", "postmortems"),
    "streams.cli.dead_letters": ("dead-letters",),
    "streams.cli.policy": ("policy",),
    "streams.cli.oncall": ("oncall",),
    "streams.cli.maintenance": ("maintenance",),
    "streams.cli.doctor": ("doctor",),
    "streams.cli.verify": ("verify",),
}
"""By name, so that an acknowledgement at night does not wait for what only a worker needs."""


def _version(asked: bool) -> None:  # noqa: FBT001 (Typer's signature)
    if asked:
        say(f"tocsin {version('tocsin')}")
        raise typer.Exit


def _root(
    *,
    asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Event-driven incident management: alerts become incidents that page, escalate and resolve."""


def command_line(words: Sequence[str]) -> typer.Typer:
    """The commands that `words` may mean: those of one module, or all where they name none (for --help, or a typo)."""
    app = typer.Typer(
        cls=edge.Root,
        name="tocsin",
        epilog=edge.CODES,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    named = [module for module, commands in PARTS.items() if words and words[0] in commands]
    for module in named or PARTS:
        importlib.import_module(module).register(app)
    return app


def command(words: Sequence[str]) -> Callable[[], object]:
    """What `words` ask for, loaded and ready to run; it ends the process, with one line for whatever went wrong."""
    sys.excepthook = edge.on_bug
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8
    return typer.main.get_command(command_line(words))
