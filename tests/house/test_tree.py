"""The tree holds what belongs in it, and nothing of the machine it was written on."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import PACKAGES, ROOT, tracked

ALLOWED = {
    *PACKAGES,
    *("tests", "docs", "deploy", ".ci"),
    *("README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml", "requirements.lock"),
    *("Dockerfile", "docker-compose.yml", ".dockerignore", ".gitignore", ".gitattributes", ".editorconfig"),
}
# A registry is the reader's to choose, and a path of one machine means nothing on another.
FOREIGN = {
    "a package registry": re.compile(
        r"\b(pypi|pythonhosted|npmjs|crates|repo\d?\.maven|proxy\.golang|(deb|security)\.debian)\.(org|com|io|apache)\b"
    ),
    "a path of one machine": re.compile(r"(?<![\w.$}*])/(root|home|Users|work|workspace)/\w"),
}

needs_git = pytest.mark.skipif(not tracked(), reason="this is no git checkout, so nothing says what belongs to it")


@needs_git
def test_the_top_level_holds_only_what_the_house_has_room_for() -> None:
    assert {path.parts[0] for path in tracked()} <= ALLOWED


@needs_git
@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1)
        if FOREIGN[what].search(line)
    ]
    assert not found


@needs_git
def test_every_python_folder_of_the_house_is_a_package() -> None:
    folders = {path.parent for path in tracked() if path.suffix == ".py" and path.parts[0] in (*PACKAGES, "tests")}
    without = {folder for folder in folders if not (ROOT / folder / "__init__.py").exists()}
    # Alembic loads its scripts by path.
    assert {folder for folder in without if "migrations" not in folder.parts} == set()
