"""The terminal that a process was started at, and when it goes away. Reads nothing from it, ends nobody.

The kernel tells that with SIGHUP, but to the session's leader alone. Where that is a program that only waits for its
child (`make`, opened in a window of its own), the child never hears of it. So it looks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import termios
from collections.abc import Iterator
from typing import Final

_LOOK_EVERY: Final = 1.0
"""Seconds."""


async def hung_up() -> None:
    """Returns once the terminal has gone at which this process was in the foreground; never where that cannot be.

    A job in the background stays: its shell may have let go of it (`disown`), and then meant it to.
    """
    with _controlling_terminal() as terminal:
        if terminal is None and _had_gone():
            return
        if terminal is not None:
            look = select.poll()
            look.register(terminal, 0)  # only what is always reported: errors and the hang-up
            in_front = False
            while not look.poll(0):
                in_front = _is_in_front(terminal)
                await asyncio.sleep(_LOOK_EVERY)
            if in_front:
                return
    await asyncio.get_running_loop().create_future()


@contextlib.contextmanager
def _controlling_terminal() -> Iterator[int | None]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:  # started by a service, in a container, by cron
        yield None
        return
    try:
        yield terminal
    finally:
        os.close(terminal)


def _is_in_front(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False


def _had_gone() -> bool:
    """Whether a terminal went while its only job, of which this process is a part, was still starting."""
    its_leader_waits = os.getpgrp() == os.getsid(0) != os.getpid()  # shells give every job a group of its own
    return its_leader_waits and any(_is_dead_terminal(stream) for stream in range(3))


def _is_dead_terminal(stream: int) -> bool:
    try:
        termios.tcgetattr(stream)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False
