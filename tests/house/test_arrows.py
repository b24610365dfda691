"""Each import contract of pyproject.toml breaks when someone breaks it: a contract that cannot fail guards nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# contract -> the files that break it, and the import that each is given
VIOLATIONS: dict[str, dict[str, str]] = {
    "Imports run one way: streams -> agents -> notifiers -> models": {"models/planted.py": "import agents"},
    "The core is pure: no I/O, no clock, no randomness": {"models/planted.py": "import random"},
    "Only agents and the composition root touch the store": {"notifiers/planted.py": "import models.store"},
    "The store knows neither Kafka nor HTTP": {"models/store/planted.py": "import aiokafka"},
    "SQL is written in the store": {"agents/planted.py": "import sqlalchemy"},
    "Providers do not know each other": {
        "notifiers/planted.py": "import notifiers.planted_too",
        "notifiers/planted_too.py": "",
    },
    "Agents talk through topics, not calls": {
        "agents/planted.py": "import agents.planted_too",
        "agents/planted_too.py": "",
    },
    "Faust, HTTP servers and the command line stay at the edge": {"agents/planted.py": "import faust"},
    "Templates are words: nobody imports them": {"streams/planted.py": "import templates"},
    "Templates are words: they import nothing": {"templates/planted.py": "import models"},
    "No cycles": {
        "streams/planted.py": "import streams.planted_too",
        "streams/planted_too.py": "import streams.planted",
    },
}
# What may look like a violation and is none.
ALLOWED = {
    "models/store/planted.py": "import os, psycopg, sqlmodel, models.planted",
    "models/planted.py": "import datetime",
    "notifiers/planted.py": "import notifiers.port, models.planted",
    "notifiers/port.py": "",
    "agents/planted.py": "import agents.ports, models.store.planted, notifiers.planted",
    "agents/ports.py": "",
    "streams/planted.py": "import faust, aiokafka, agents.planted, models.store.planted",
}


def lint_with(planted: dict[str, str], tree: Path) -> subprocess.CompletedProcess[str]:
    """The verdict on the packages with the planted files added, everything else of the tree left empty."""
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in (*PACKAGES, "models/store", "streams/embedded", "streams/web"):
        (tree / package).mkdir()
        (tree / package / "__init__.py").touch()
    for path, source in planted.items():
        (tree / path).write_text(source + "\n")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    verdict = lint_with(VIOLATIONS[contract], tmp_path)
    assert verdict.returncode == 1, verdict.stdout + verdict.stderr
    assert f"{contract} BROKEN" in " ".join(verdict.stdout.split())


def test_what_is_allowed_breaks_none(tmp_path: Path) -> None:
    verdict = lint_with(ALLOWED, tmp_path)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_every_contract_has_been_seen_to_break() -> None:
    assert {contract["name"] for contract in CONTRACTS} == set(VIOLATIONS)
