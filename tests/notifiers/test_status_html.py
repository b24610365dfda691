"""The status page as a browser gets it: complete in itself, and readable by everybody."""

import re
from html.parser import HTMLParser
from uuid import UUID

from models.statuspage import PageIncident, PageUpdate, status_page
from notifiers.render import status_html
from tests.notifiers.facts import NOW

UPDATE = PageUpdate(UUID(int=2), "investigating", "We are investigating a problem.\nMore in a while.", NOW)
CURRENT = PageIncident(UUID(int=1), "INC-2026-1121-001", "Outage of checkout", "checkout", "critical", NOW, (UPDATE,))


class Outline(HTMLParser):
    """Headings in order, ids, languages, and every address that a browser would fetch or follow."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [value for name in ("id",) if (value := values.get(name))]
        self.addresses += [value for name in ("href", "src", "srcset", "action") if (value := values.get(name))]


def outline(*incidents: PageIncident) -> tuple[str, Outline]:
    page = status_html(status_page("Acme", "https://status.example.com", incidents, ["accounts", "checkout"], NOW))
    return page, Outline(page)


def test_nothing_is_fetched_from_anywhere() -> None:
    page, seen = outline(CURRENT)
    assert set(seen.addresses) == {"history.atom", "api/v2/summary.json", "#INC-2026-1121-001"}
    assert "url(" not in page
    assert "@import" not in page
    assert "script" not in {tag for tag, _ in seen.tags}


def test_it_can_be_read_without_seeing_it() -> None:
    page, seen = outline(CURRENT)
    assert ("html", {"lang": "en"}) in seen.tags
    assert seen.headings[0] == 1
    assert seen.headings.count(1) == 1
    assert all(below <= above + 1 for above, below in zip(seen.headings, seen.headings[1:], strict=False))
    assert len(seen.ids) == len(set(seen.ids))
    named = {values["aria-labelledby"] for tag, values in seen.tags if tag == "section"}
    assert named <= set(seen.ids)
    assert "Major outage" in page.split("<main>")[1].split("</main>")[0]


def test_a_quiet_page_says_that_all_is_well_and_an_update_keeps_its_lines() -> None:
    quiet, _ = outline()
    assert "All systems operational" in quiet
    assert "What is happening now" not in quiet
    loud, _ = outline(CURRENT)
    assert "We are investigating a problem.\nMore in a while." in loud
