"""What tests of several packages share: a broker, and waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest

pytest_plugins = ("tests.peers.alertmanager", "tests.peers.browser", "tests.peers.kafka")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a broker: the embedded one, or the one TOCSIN_TEST_KAFKA names."""
    if given := os.environ.get("TOCSIN_TEST_KAFKA"):
        yield given
        return
    with embedded_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@contextmanager
def embedded_broker(folder: Path, bind: str = "127.0.0.1:0") -> Iterator[str]:
    """The embedded broker in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "streams.embedded.broker", "--data-dir", str(folder), "--bind", bind]
    with (folder / "output").open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, f"the broker did not start: {(folder / 'output').read_text()}"
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def unique() -> str:
    """A name for a topic or consumer group that no other test uses."""
    return f"t-{uuid4().hex[:12]}"


async def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    """Waits for a condition that only other tasks or processes can make true."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, "the condition did not become true in time"
        await asyncio.sleep(0.01)
