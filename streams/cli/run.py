"""Commands that run processes: `up`, `web`, `worker`, `migrate`, `demo`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer

from streams import serve
from streams.demo import story
from streams.plan import checked, plan
from streams.settings import SettingsError, read_settings
from streams.supervisor import UP_UNUSABLE, supervise


def up() -> None:
    """Runs everything on this machine, and stays.

    Broker and database where none is configured, web, worker. Ctrl-C stops all of it.
    """
    try:
        settings = read_settings()
        checked(settings)
        code = asyncio.run(supervise(partial(plan, settings), settings.data_dir))
    except SettingsError as error:
        for line in str(error).splitlines():
            typer.echo(f"tocsin | {line}", err=True)
        raise typer.Exit(UP_UNUSABLE) from None
    raise typer.Exit(code)


def web() -> None:
    """Runs the receiver, the API and the status page."""
    raise typer.Exit(serve.run("web"))


def worker() -> None:
    """Runs the agents: they classify, open, escalate, deliver."""
    raise typer.Exit(serve.run("worker"))


def migrate() -> None:
    """Brings database and topics up to date."""
    raise typer.Exit(serve.run("migrate"))


def demo(
    *,
    profile: Annotated[str, typer.Option(help="A profile or a policy's file; its clocks are shortened.")] = "default",
) -> None:
    """Tells one incident from alert to postmortem."""
    raise typer.Exit(story.run(profile))


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (up, web, worker, migrate, demo):
        app.command()(command)
