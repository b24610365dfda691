"""What a person sees who types make: the targets, and one clear line where no usable Python is found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

TOOLS = ("sh", "cat", "sed", "printf", "rm", "touch")
LOOKS_RIGHT = """#!/bin/sh
# A Python of the right version whose standard library was split up by its packager.
case "$*" in *version_info*) exit 0 ;; *) exit 1 ;; esac
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose path has a space, on a machine with nothing but a shell; `bin` is all of its PATH."""
    home = tmp_path / "a checkout"
    (home / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", home)
    (home / "requirements.lock").touch()
    for tool in TOOLS:
        (home / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return home


def make(target: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    path = str(checkout / "bin")
    environment = {"PATH": path, "PYTHONPATH": "hostile", "PIP_REQUIRE_VIRTUALENV": "1"}
    command = [shutil.which("make") or "make", target]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=30)


def test_help_says_what_can_be_made(checkout: Path) -> None:
    said = make("help", checkout).stdout
    assert all(f"make {target} " in said for target in ("demo", "up", "test", "check", "bench", "lock", "clean"))


def test_no_python_is_one_clear_line(checkout: Path) -> None:
    refused = make("demo", checkout)
    assert refused.returncode != 0
    assert refused.stderr.splitlines()[0].startswith("No Python 3.11, 3.12 or 3.13 found: install one")


def test_a_python_without_venv_is_named_with_what_it_lacks(checkout: Path) -> None:
    python = checkout / "bin" / "python3.12"
    python.write_text(LOOKS_RIGHT)
    python.chmod(0o755)
    refused = make("demo", checkout)
    assert refused.returncode != 0
    assert refused.stderr.startswith("Found python3.12, but without venv, ensurepip, ssl or sqlite3")
