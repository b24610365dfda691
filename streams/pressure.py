"""Whether somebody waits to be woken while this process is short of processor time. What is spared then is for others
to say.

A slow provider is no pressure: while one waits for its answers, the processor has time. But a look that was late
counts for a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LOOK_EVERY: Final = 0.05
LATE: Final = 0.005
"""Seconds. A loop with time to spare is late by less than one thousandth."""
REMEMBERED: Final = 20
"""Looks for which a late one counts: a worker that is short of time is late most of the time, not always."""


@dataclass(slots=True)
class Pressure:
    """`urgent` are asked, each, whether it has something to do that must not wait."""

    urgent: list[Callable[[], bool]] = field(default_factory=list)
    _late_for: int = 0
    """So many looks more."""

    def is_high(self) -> bool:
        """By the last looks."""
        return self._late_for > 0 and any(has_work() for has_work in self.urgent)

    async def look(self) -> None:
        """One pass: how late this process's own loop wakes it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_EVERY
        await asyncio.sleep(LOOK_EVERY)
        self.looked(late=loop.time() - due)

    def looked(self, late: float) -> None:
        """Takes in one look; `late` in seconds."""
        self._late_for = REMEMBERED if late > LATE else max(0, self._late_for - 1)
