"""Publishes the event log as the public feed, `incident.events`, at least once and in order per incident.

Works from what the log says is not yet published, never from a remembered position: commit order is not id order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

from models.feed import KINDS, Excerpt, encode_feed, kinds_of
from models.records import Outgoing, Publish, Unreadable

_log = logging.getLogger(__name__)

BATCH = 500


class EventLog(Protocol):
    """The store's side of the feed."""

    def relaying(self) -> AbstractAsyncContextManager[bool]:
        """True for the one worker that may relay now; the others get False."""
        ...

    async def unpublished(self, limit: int) -> Sequence[Excerpt]:
        """Events not yet published, grouped by incident, in order."""
        ...

    async def published(self, records: Sequence[Excerpt]) -> None:
        """Notes that these are on the topic."""
        ...


MOST_BYTES = 1024 * 1024
"""Of one record of the feed; a single event may be larger."""


async def relay(log: EventLog, publish: Publish, topic: str) -> int:
    """One pass; how many events were published, BATCH when there may be more."""
    async with log.relaying() as allowed:
        records = await log.unpublished(BATCH) if allowed else ()
        if records:
            await _publish([outgoing for record in records for outgoing in _outgoing(topic, record)], publish)
            await log.published(records)
        return sum(len(record.events) for record in records)


async def _publish(records: Sequence[Outgoing], publish: Publish) -> None:
    """All of them but what the broker will never take: the log has it, and the feed goes on."""
    try:
        await publish(records)
    except Unreadable as error:
        if len(records) == 1:
            _log.error("an event of %.100r is not on the feed, and stays in the log: %s", records[0].key, error)
            return
        middle = len(records) // 2
        await _publish(records[:middle], publish)
        await _publish(records[middle:], publish)


def _outgoing(topic: str, record: Excerpt) -> Iterator[Outgoing]:
    """The record for the topic, or several where it would be too large."""
    value = encode_feed(record)
    if len(value) <= MOST_BYTES or len(record.events) == 1:
        yield Outgoing(topic, record.about.key.encode(), value, {KINDS: kinds_of(record)})
        return
    middle = len(record.events) // 2
    yield from _outgoing(topic, replace(record, events=record.events[:middle]))
    yield from _outgoing(topic, replace(record, events=record.events[middle:]))
