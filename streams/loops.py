"""Background loops of a process: one pass after the other, for as long as the process lives.

A pass that fails because of its environment is tried again with growing pauses and said once; anything else is a bug
and ends the process, so that the supervisor starts a fresh one. Never swallows what it does not know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
from aiokafka.errors import KafkaError

from models.store.errors import StoreError

log = logging.getLogger(__name__)

TRANSIENT: Final[tuple[type[Exception], ...]] = (OSError, KafkaError, psycopg.OperationalError, StoreError)
"""The environment's faults: worth trying again for as long as they last."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0


async def repeat(name: str, one_pass: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    """Runs `one_pass` again and again until `stop` is set; the pass itself waits for its next occasion."""
    pause, said = FIRST_PAUSE, ""
    while not stop.is_set():
        try:
            await one_pass()
            if said:
                log.info("%s: goes on", name)
            pause, said = FIRST_PAUSE, ""
        except TRANSIENT as error:
            if (now_said := f"{type(error).__name__}: {error}".splitlines()[0]) != said:
                log.warning("%s: waiting for the environment: %s", name, now_said)
                said = now_said
            await nap(stop, pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def nap(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps, but not past `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
