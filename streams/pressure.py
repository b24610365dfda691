"""Whether this process is short of processor time: how late its own loop wakes it. Owns the measuring; what is spared
then is for others to say.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

LOOK_EVERY: Final = 0.05
LATE: Final = 0.005
"""Seconds. A loop with time to spare is late by less than one."""


@dataclass(slots=True)
class Pressure:
    """`is_high` after the last look."""

    is_high: bool = False

    async def look(self) -> None:
        """One pass."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_EVERY
        await asyncio.sleep(LOOK_EVERY)
        self.is_high = loop.time() - due > LATE
