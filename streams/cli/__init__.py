"""The command line, `tocsin`."""

from __future__ import annotations

import typer

from streams.cli import run

app = typer.Typer(no_args_is_help=True, add_completion=False)
run.register(app)


def main() -> None:
    app()
