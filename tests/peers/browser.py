"""A headless Chromium: what a person would see of a page, as a document after scripts ran or as a picture."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.found import chromium_binary

# It runs as root in CI, looks for nothing outside, and leaves nothing behind.
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@dataclass(frozen=True, slots=True)
class Browser:
    binary: str
    profile: Path

    def dom(self, url: str) -> str:
        """The document as HTML once the page has loaded and its scripts have run."""
        return self._run("--dump-dom", url)

    def screenshot(self, url: str, picture: Path, width: int = 1280, height: int = 900) -> None:
        """Writes a PNG of the page at that size of the window."""
        self._run(f"--screenshot={picture}", f"--window-size={width},{height}", url)

    def _run(self, *arguments: str) -> str:
        command = [self.binary, *QUIET, f"--user-data-dir={self.profile}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(chromium_binary(), tmp_path / "chromium")
