"""What a process that `tocsin up` started owes it: say when it is ready, end when told to, and end when `up` is gone.

The supervisor holds the other end of stdin, so its death, however it comes, reads as end of file here. Started by hand
(in a container, say), the same process has no supervisor: it is ready in silence and ends by signal alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass

import uvloop

from streams.places import Failed, Unusable, unusable

SUPERVISED = "TOCSIN_SUPERVISED"
"""In the environment: stdin is held open by the supervisor."""

READY_FD = "TOCSIN_READY_FD"
"""In the environment: the pipe on which to say where this process answers."""

EXIT_UNUSABLE = 78  # EX_CONFIG of sysexits.h: starting again will not help before a person acts

_LOOP_ANSWERS_WITHIN = 5.0  # seconds; an orphan whose event loop is blocked for longer is cut off
_ORPHAN_ENDS_WITHIN = 30.0  # seconds; an orphan that is stopping, and has not ended by then, is cut off, too


@dataclass(frozen=True, slots=True)
class Supervised:
    """The child's side: `stop` is set once this process should end; `ready` says, once, where it answers."""

    stop: asyncio.Event
    ready: Callable[[str], None]


def run_child(main: Callable[[Supervised], Coroutine[object, object, None]]) -> int:
    """Runs a child to its end and returns its exit code; what failed is told in one line."""

    async def run() -> None:
        async with supervised() as self:
            await main(self)

    try:
        uvloop.run(run())
    except Failed as failure:
        sys.stderr.write(f"{failure}\n")
        return EXIT_UNUSABLE if isinstance(failure, Unusable) else 1
    except OSError as error:
        sys.stderr.write(f"{unusable(error, error.filename or 'this machine')}\n")
        return 1
    return 0


@contextlib.asynccontextmanager
async def supervised() -> AsyncIterator[Supervised]:
    """For a process that owns its event loop: SIGTERM, SIGINT and the supervisor's end all set `stop`."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if SUPERVISED in os.environ:
        # A thread, since it must notice while the event loop is blocked.
        threading.Thread(target=_end_with_parent, args=(loop, stop), name="end-with-parent", daemon=True).start()
    try:
        yield Supervised(stop, report_ready)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def report_ready(address: str = "") -> None:
    """Tells the supervisor that this process answers, and where; later calls do nothing."""
    fd = os.environ.pop(READY_FD, None)  # popped: once closed, the number may soon belong to another file
    if fd is not None:
        with contextlib.suppress(OSError), os.fdopen(int(fd), "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps({"address": address}) + "\n")


def _end_with_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Ends this process, gently if that can be, once nobody holds the other end of its stdin."""
    answered = threading.Event()

    def answer() -> None:
        stop.set()
        answered.set()

    while os.read(0, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: this process is ending, and must not stay on the way
        loop.call_soon_threadsafe(answer)
    if answered.wait(_LOOP_ANSWERS_WITHIN):
        time.sleep(_ORPHAN_ENDS_WITHIN)
    os._exit(1)
