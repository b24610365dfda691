"""What the store holds, for those who ask without a token: asked once in two seconds, whoever asks how often.

When the database does not answer, nobody has figures: nothing older than those two seconds is ever shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from models.store.rows import Figures
from streams.web.errors import UNAVAILABLE
from streams.web.metrics import WebMetrics

FRESH_FOR: Final = 2.0
"""Seconds on the monotonic clock, since the answer was asked for."""
_WITHIN: Final = 3.0
"""Seconds that anybody waits for the store."""


class RecentFigures:
    """One question to the store at a time; everybody who comes meanwhile, or soon after, gets its answer."""

    def __init__(
        self, ask: Callable[[], Awaitable[Figures]], metrics: WebMetrics, monotonic: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._metrics = metrics
        self._monotonic = monotonic
        self._answer: asyncio.Task[Figures] | None = None
        self._asked_at = 0.0

    async def read(self) -> Figures:
        """Raises UNAVAILABLE, as the store did when it was asked last."""
        answer, now = self._answer, self._monotonic()
        if answer is None or (answer.done() and now - self._asked_at >= FRESH_FOR):
            self._asked_at = now
            self._answer = answer = asyncio.create_task(self._look())
            answer.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
        return await asyncio.shield(answer)  # whoever goes away takes nobody else's answer along

    async def _look(self) -> Figures:
        try:
            with self._metrics.lookup_seconds.time():
                async with asyncio.timeout(_WITHIN):
                    return await self._ask()
        except UNAVAILABLE:
            self._metrics.lookups_failed.inc()
            raise
