"""The checkout as git knows it: where it is, and which files are in it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("streams", "agents", "models", "notifiers", "templates")


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks and that are there, relative to the root. Empty where this is no checkout (an archive)."""
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    names = listing.stdout.split("\0") if listing.returncode == 0 else []
    return tuple(Path(name) for name in names if name and (ROOT / name).is_file())
