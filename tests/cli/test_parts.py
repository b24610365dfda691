"""The literal table of commands says what is there, and a command loads no more than it needs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import typer

from streams.cli.root import PARTS


@pytest.mark.parametrize("module", PARTS)
def test_a_module_has_the_commands_that_the_table_says(module: str) -> None:
    app = typer.Typer()
    importlib.import_module(module).register(app)
    commands = [str(command.name or getattr(command.callback, "__name__", "")) for command in app.registered_commands]
    groups = [str(group.name) for group in app.registered_groups]
    assert sorted([*commands, *groups]) == sorted(PARTS[module])


def test_an_acknowledgement_does_not_load_what_only_a_worker_needs() -> None:
    program = "import sys, streams.cli.root; streams.cli.root.command_line(['ack']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not set(said.split()) & {"faust", "fastapi", "aiokafka", "alembic", "sqlalchemy", "pagerduty"}
