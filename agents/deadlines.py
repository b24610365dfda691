"""Turns due rows of the deadline ledger into signals. Never decides what a deadline means, and never marks one as
fired.

A claimed row is a lease: only the transaction that handles its signal writes `fired`; a lease that ran out is emitted
again, as a signal of its own, because whoever it is meant for may not have existed the first time. A repetition that
comes too late is stale by the deadline's id.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from models.records import Outgoing, Publish
from models.signals import DeadlineReached, encode_signal

BATCH = 1000
LEASE = timedelta(seconds=30)
LONGEST_SLEEP = timedelta(seconds=1)
"""A missed notification or a jumped clock costs at most this."""


class Due(Protocol):
    """A deadline that came due, and the topic and key that its signal goes to."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...


class Ledger(Protocol):
    """The ledger's claims."""

    async def claim_due(self, limit: int, lease: timedelta) -> Sequence[Due]:
        """Leases up to `limit` due rows, earliest first."""
        ...

    async def until_next(self) -> timedelta | None:
        """How long until the next row is due, by the database's clock; None when none is armed."""
        ...


async def emit_due(ledger: Ledger, publish: Publish) -> int:
    """One pass: claims what is due and publishes its signals; how many there were."""
    due = await ledger.claim_due(BATCH, LEASE)
    await publish([Outgoing(row.topic, row.key.encode(), encode_signal(_signal(row))) for row in due])
    return len(due)


def _signal(row: Due) -> DeadlineReached:
    return DeadlineReached(id=uuid.uuid4(), key=row.key, deadline_id=row.id, name=row.name, due_at=row.due_at)


async def nap(ledger: Ledger) -> timedelta:
    """How long to sleep before the next pass when nobody wakes us: until the next row is due, at most LONGEST_SLEEP."""
    left = await ledger.until_next()
    return LONGEST_SLEEP if left is None else max(timedelta(0), min(left, LONGEST_SLEEP))
