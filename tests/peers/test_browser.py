"""The browser shows a page as a person would see it, scripts included."""

from __future__ import annotations

from pathlib import Path

from tests.peers.browser import Browser

PAGE = "<!doctype html><title>x</title><p id=said></p><script>said.textContent = 'seen by ' + 'a person'</script>"


def test_a_page_is_seen_with_its_scripts_run(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    assert '<p id="said">seen by a person</p>' in browser.dom(page.as_uri()).replace("id=said", 'id="said"')
