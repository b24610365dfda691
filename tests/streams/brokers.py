"""The embedded broker as a process of its own, and waiting for what other processes do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic


@contextmanager
def embedded_broker(folder: Path, bind: str = "127.0.0.1:0") -> Iterator[str]:
    """Yields its address; kill -9 at the end. The same folder and address again is the same broker, restarted."""
    command = [sys.executable, "-m", "tests.embedded.lone_broker", str(folder / "data"), bind]
    with (folder / "output").open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, f"the broker did not start: {(folder / 'output').read_text()}"
        yield address
    finally:
        process.kill()
        process.wait()


async def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    """Waits for a condition that only other tasks or processes can make true."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, "the condition did not become true in time"
        await asyncio.sleep(0.01)
