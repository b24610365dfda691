"""Whether somebody waits to be woken while this process is short of processor time. What is spared then is for others
to say.

A slow provider is no pressure: while one waits for its answers, the processor has time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LOOK_EVERY: Final = 0.05
LATE: Final = 0.005
"""Seconds. A loop with time to spare is late by less than one thousandth."""


@dataclass(slots=True)
class Pressure:
    """`urgent` are asked, each, whether it has something to do that must not wait."""

    urgent: list[Callable[[], bool]] = field(default_factory=list)
    _is_late: bool = False

    def is_high(self) -> bool:
        """By the last look."""
        return self._is_late and any(has_work() for has_work in self.urgent)

    async def look(self) -> None:
        """One pass: how late this process's own loop wakes it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_EVERY
        await asyncio.sleep(LOOK_EVERY)
        self._is_late = loop.time() - due > LATE
