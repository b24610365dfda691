"""Keeps what came of attempts until it is written: of all couriers of a process together, in one transaction.

An answer is never forgotten over a fault of ours: what the store could not take is written when it can. Never decides
what an answer means, and never sends.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from models.deliveries import Delivery, Outcome, Provider


class Claimed(Protocol):
    """A leased delivery. `unknown` after an attempt that may have been processed; `age` since it was decided;
    `receipts` are the incident's so far.
    """

    @property
    def delivery(self) -> Delivery: ...
    @property
    def attempts(self) -> int: ...
    @property
    def unknown(self) -> bool: ...
    @property
    def age(self) -> timedelta: ...
    @property
    def receipts(self) -> Mapping[str, str]: ...


class Book(Protocol):
    """The store's side of it."""

    async def finish(self, finished: Sequence[tuple[Claimed, Outcome, timedelta | None]]) -> Collection[Provider]:
        """Writes outcomes; a RetryLater comes due again after the given time. Whose lanes among them go on."""
        ...


@dataclass(slots=True)
class Outcomes:
    """One per process. `came` is set while something is to be written, `told` once pages can be reported."""

    book: Book
    came: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    couriers: dict[Provider, asyncio.Event] = field(default_factory=dict)
    """What each courier waits for: a lane that goes on is its next work, and so is a retry that has come due."""
    _unwritten: dict[uuid.UUID, tuple[Claimed, Outcome, timedelta | None]] = field(default_factory=dict)

    def note(self, claimed: Claimed, outcome: Outcome, retry_in: timedelta | None) -> None:
        """Takes in what came of an attempt."""
        self._unwritten[claimed.delivery.id] = claimed, outcome, retry_in
        self.came.set()

    def held(self) -> set[uuid.UUID]:
        """The deliveries of which what came of the last attempt is still to be written."""
        return set(self._unwritten)

    async def write(self) -> None:
        """Writes all there is. Raises what the store raises, and keeps it then."""
        ended = dict(self._unwritten)
        if ended:
            for provider in await self.book.finish(list(ended.values())):
                self.couriers[provider].set()
        for delivery_id, (claimed, _, retry_in) in ended.items():
            del self._unwritten[delivery_id]
            if retry_in is not None:  # counted, as in the store, from now on
                woken = self.couriers[claimed.delivery.provider]
                asyncio.get_running_loop().call_later(retry_in.total_seconds(), woken.set)
        if not self._unwritten:
            self.came.clear()
        if any(claimed.delivery.page is not None for claimed, _, _ in ended.values()):
            self.told.set()  # reported by a loop of its own, so that the next page does not wait for it
