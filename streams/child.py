"""One process of `tocsin up`: how to start it, and one run of it with its pipes. Decides nothing about restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import BinaryIO

from streams.processes import READY_FD, SUPERVISED

_LONGEST_LINE = 64 * 1024
_DRAIN_WITHIN = 1.0  # seconds; something that the child left behind may hold its output open for ever


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a child that ends is started again: after `first`, then twice as long each time, up to `longest`.

    A child that was ready and lasted for `settled_after` starts counting anew.
    """

    limit: int = 8
    first: timedelta = timedelta(milliseconds=100)
    longest: timedelta = timedelta(seconds=5)
    settled_after: timedelta = timedelta(seconds=30)

    def pause(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row."""
        return min(self.first * 2.0 ** (failures - 1), self.longest).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run. With `once`, it is ready when it has ended with 0 and is not restarted after that."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()
    provides: str | None = None
    """The environment variable that tells this child's address to those that come after it."""
    once: bool = False
    ready_within: timedelta = timedelta(seconds=60)
    stop_within: timedelta = timedelta(seconds=15)
    restarts: Restarts = field(default=Restarts())


class Run:
    """One run of a child, from its start to its end. Its lines go to `say`."""

    def __init__(
        self, process: asyncio.subprocess.Process, address: asyncio.Task[str], output: asyncio.Task[None]
    ) -> None:
        self._process = process
        self._output = output
        self.address = address
        """Done once the child says where it answers; cancelled when it ends before that."""
        self.ended = asyncio.create_task(self._end())
        """Done with the exit code, after the last line has been said."""

    @classmethod
    async def start(cls, child: Child, env: Mapping[str, str], say: Callable[[str], None]) -> Run:
        """Starts the child; raises OSError where that cannot be done."""
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env={
                    **os.environ,
                    **child.env,
                    **env,
                    SUPERVISED: "1",
                    READY_FD: str(writing),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        assert process.stdout is not None
        address = asyncio.create_task(_address(os.fdopen(reading, "rb", buffering=0)))
        return cls(process, address, asyncio.create_task(_forward(process.stdout, say)))

    async def stop(self, within: timedelta) -> bool:
        """Asks the child to end and waits; cuts it off when that takes too long, and then says so by False."""
        if self._process.returncode is None:
            self._process.terminate()
        done, _ = await asyncio.wait((self.ended,), timeout=within.total_seconds())
        if done:
            return True
        self.kill()
        await self.ended
        return False

    def kill(self) -> None:
        """Cuts off the child and whatever it started in its session's group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> int:
        code = await self._process.wait()
        self.address.cancel()
        await asyncio.wait((self._output,), timeout=_DRAIN_WITHIN)
        self._output.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code


async def _address(fd: BinaryIO) -> str:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), fd)
    try:
        line = await reader.readline()
    finally:
        transport.close()
    if not line:
        await asyncio.get_running_loop().create_future()  # closed without a word: its end will follow, or never comes
    return str(json.loads(line)["address"])


async def _forward(output: asyncio.StreamReader, say: Callable[[str], None]) -> None:
    pending = b""
    while chunk := await output.read(_LONGEST_LINE):
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > _LONGEST_LINE:
            lines, pending = [*lines, pending], b""
        for line in lines:
            say(line.rstrip(b"\r").decode(errors="replace"))
    if pending:
        say(pending.decode(errors="replace"))
