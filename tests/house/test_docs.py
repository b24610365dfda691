"""The documentation leads somewhere: its links and the files that it names are there, and no variable is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.policy import Policy
from models.policy_file import shipped_policy
from streams.settings import PREFIX, Settings
from tests.house.tree import PACKAGES, ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)?(?:#([^)\s]+))?\)")
NAMED = re.compile(rf"`((?:{'|'.join([*PACKAGES, 'tests', 'docs', 'deploy'])})/[\w./-]*)(?:[: `])")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for path, heading in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in _headings(target)):
            lost.append(f"{path}#{heading}")
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    assert [name for name in NAMED.findall(page.read_text()) if not (ROOT / name).exists()] == []


def test_every_setting_and_routing_key_stands_in_the_readme() -> None:
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    keys = set(re.findall(rf"{PREFIX}\w*ROUTING_KEY\w*", shipped_policy("default")))
    readme = (ROOT / "README.md").read_text()
    assert {name for name in settings | keys if not re.search(rf"{name}\b", readme)} == set()


def test_every_section_of_a_policy_stands_in_the_table() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(Policy.model_fields)


def test_every_decision_stands_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\(([\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert {path.name for path in folder.glob("0*.md")} == listed


def _headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and its like make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
