"""The wheel holds the five packages with all their data, and nobody else in this environment claims their names."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.tree import PACKAGES, ROOT, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names in the wheel as it is built from this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = out.glob("*.whl")
    with ZipFile(file) as archive:
        return frozenset(archive.namelist())


def test_it_holds_no_other_top_level_name(wheel: frozenset[str]) -> None:
    top = {Path(name).parts[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_it_holds_every_module_policy_template_and_migration(wheel: frozenset[str]) -> None:
    ours = {path.as_posix() for path in tracked() if path.parts[0] in PACKAGES}
    assert ours - wheel == set()


def test_nobody_else_claims_the_names() -> None:
    claims = {
        (distribution.name, file.parts[0])
        for distribution in distributions()
        if distribution.name != "tocsin"
        for file in distribution.files or ()
        if file.parts and file.parts[0].removesuffix(".py") in PACKAGES
    }
    assert claims == set()
