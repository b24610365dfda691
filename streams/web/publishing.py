"""Publishing on behalf of a client that waits: within a few seconds, or not at all as far as the client is told.

A publish that takes longer is not cut off (the broker may have it already) but counted until it ends, so that a broker
that hangs meets a bound and not a growing crowd.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from models.records import Outgoing, Publish

WITHIN: Final = 4.0
"""Seconds until a client is told 503. PagerDuty allows five for everything."""


class Crowded(Exception):
    """Too many publishes are waiting for the broker already."""


class Publishing:
    """Hands records to `publish`, at most `at_once` batches at any time."""

    def __init__(self, publish: Publish, at_once: int, within: float = WITHIN) -> None:
        self._publish = publish
        self._at_once = at_once
        self._within = within
        self._under_way: set[asyncio.Task[None]] = set()

    async def send(self, records: Sequence[Outgoing], settled: Callable[[], None] | None = None) -> None:
        """Returns once the broker has the records; raises Crowded, TimeoutError, or what the broker said.

        `settled` is called when the publish has ended, which after a TimeoutError is later than this call.
        """
        if len(self._under_way) >= self._at_once:
            if settled:
                settled()
            raise Crowded(f"{self._at_once} requests wait for the broker already")
        task = asyncio.create_task(self._run(records))
        self._under_way.add(task)
        task.add_done_callback(lambda ended: self._settle(ended, settled))
        await asyncio.wait({task}, timeout=self._within)
        if not task.done():
            raise TimeoutError(f"the broker has not acknowledged within {self._within:.0f} s")
        task.result()

    async def _run(self, records: Sequence[Outgoing]) -> None:
        await self._publish(records)

    def _settle(self, task: asyncio.Task[None], settled: Callable[[], None] | None) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen; whoever waited was told
        if settled:
            settled()
