"""Commands that run processes: `up`, `web`, `worker`, `migrate`, `demo`."""

from __future__ import annotations

import asyncio

import typer

from streams import serve
from streams.demo import story
from streams.plan import checked, plan
from streams.settings import SettingsError, read_settings
from streams.supervisor import UP_UNUSABLE, supervise


def up() -> None:
    """Run everything on this machine and stay: broker and database where none is configured, web, worker. Ctrl-C
    stops all.
    """
    try:
        settings = read_settings()
        checked(settings)
    except SettingsError as error:
        typer.echo(f"tocsin | {error}", err=True)
        raise typer.Exit(UP_UNUSABLE) from None
    raise typer.Exit(asyncio.run(supervise(lambda: list(plan(settings)), settings.data_dir)))


def web() -> None:
    """Run the receiver, the API and the status page."""
    raise typer.Exit(serve.run("web"))


def worker() -> None:
    """Run the agents that classify, open, escalate and deliver."""
    raise typer.Exit(serve.run("worker"))


def migrate() -> None:
    """Bring the database's schema up to date and declare the topics."""
    raise typer.Exit(serve.run("migrate"))


def demo() -> None:
    """Play recorded webhooks through the whole path and tell the story as it happens."""
    raise typer.Exit(story.run())


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (up, web, worker, migrate, demo):
        app.command()(command)
