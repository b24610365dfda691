"""Publishes the event log as the public feed, `incident.events`, at least once and in order per incident.

Works from what the log says is not yet published, never from a remembered position: commit order is not id order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from models.feed import FeedRecord, encode_feed
from models.records import Outgoing, Publish

BATCH = 500


class EventLog(Protocol):
    """The store's side of the feed."""

    def relaying(self) -> AbstractAsyncContextManager[bool]:
        """True for the one worker that may relay now; the others get False."""
        ...

    async def unpublished(self, limit: int) -> Sequence[FeedRecord]:
        """Events not yet published, grouped by incident, in order."""
        ...

    async def published(self, records: Sequence[FeedRecord]) -> None:
        """Notes that these are on the topic."""
        ...


async def relay(log: EventLog, publish: Publish, topic: str) -> int:
    """One pass; how many records were published."""
    async with log.relaying() as allowed:
        records = await log.unpublished(BATCH) if allowed else ()
        if records:
            await publish([Outgoing(topic, record.key.encode(), encode_feed(record)) for record in records])
            await log.published(records)
        return len(records)
