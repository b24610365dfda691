"""Waiting for a condition with a deadline, so that no test sleeps for a time it hopes is long enough."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T | Literal[False] | None], within: float = 15.0) -> T:
    """The condition's first true value; fails once `within` seconds are over."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(0.01)
    return value


def side_by_side(story: Callable[[T], object], cases: Iterable[T]) -> None:
    """Tells a story of every case at once, where most of it is waiting; raises the first that fails, in their order."""
    with ThreadPoolExecutor() as pool:
        for told in [pool.submit(story, case) for case in cases]:
            told.result()


def has_ended(pid: int) -> bool:
    """Whether that process is gone, or dead and only waiting for its parent to notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    if Path("/proc/self/stat").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True  # it went in between
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout
    return not state.strip() or state.startswith("Z")
