"""The lock files pin all that pyproject.toml asks for, by version and hash, and not where it comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.tree import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME, EVERYTHING = ROOT / "requirements.lock", ROOT / ".ci" / "requirements.lock"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(text: str) -> dict[str, Version]:
    matches = filter(None, map(PIN.match, text.splitlines()))
    return {canonicalize_name(match[1]): Version(match[2]) for match in matches}


def unmet(requirements: Iterable[str], locked: dict[str, Version]) -> list[str]:
    asked = map(Requirement, requirements)
    return [
        str(requirement)
        for requirement in asked
        if (version := locked.get(canonicalize_name(requirement.name))) is None or version not in requirement.specifier
    ]


def test_the_runtime_lock_covers_what_runs_and_what_builds() -> None:
    groups = PYPROJECT["dependency-groups"]
    assert unmet([*PYPROJECT["project"]["dependencies"], *groups["build"]], pins(RUNTIME.read_text())) == []


def test_the_other_lock_adds_the_tools_and_changes_nothing() -> None:
    runtime, everything = pins(RUNTIME.read_text()), pins(EVERYTHING.read_text())
    assert unmet(PYPROJECT["dependency-groups"]["dev"], everything) == []
    assert runtime.items() <= everything.items()


@pytest.mark.parametrize("lock", [RUNTIME, EVERYTHING], ids=["runtime", "everything"])
def test_a_lock_is_versions_and_hashes_and_nothing_else(lock: Path) -> None:
    assert [line for line in lock.read_text().splitlines() if not PIN.match(line) and not HASH.match(line)] == []
