"""A broker in a process of its own, so that it can be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class BrokerProcess:
    """`python -m tests.embedded.lone_broker`; after the first start always on the same port."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.address = "127.0.0.1:0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await self.spawn()
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 15)
        assert line, "the broker did not start"
        self.address = line.decode().strip()

    async def spawn(self) -> asyncio.subprocess.Process:
        """Another one on the same data directory."""
        command = ("-m", "tests.embedded.lone_broker", str(self.data_dir), self.address)
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe)

    async def kill(self) -> None:
        """As a power cut does, for the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    async def stop(self) -> int:
        """Politely; its exit code."""
        assert self._process is not None
        self._process.terminate()
        await asyncio.wait_for(self._process.communicate(), 10)
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def broker_process(data_dir: Path) -> AsyncIterator[BrokerProcess]:
    process = BrokerProcess(data_dir)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()
