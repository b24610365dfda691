"""Topics and partitions in memory, with the newest batches, so that a consumer that keeps up never waits for the disk.

The writer thread owns what is *assigned* (`Partition.next_offset`, `Partition.producers`): it is decided inside the
transaction and taken back with it. The event loop owns what is *visible* (`Partition.tail`, its end being the high
watermark, and `start_offset`): it moves only after the commit is on disk. Nothing else may touch either.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.embedded.broker.batch import Producer
from streams.embedded.broker.settings import Limits

_COMPACT = 512


class Tail:
    """The newest stored batches of one partition, without a gap up to its high watermark."""

    __slots__ = ("_bases", "_batches", "_head", "end", "start")

    def __init__(self, end_offset: int) -> None:
        self.end = end_offset  # the partition's high watermark
        self.start = end_offset  # the first offset held here; `end` while nothing is
        self._bases: list[int] = []
        self._batches: list[bytes] = []
        self._head = 0

    def read(self, offset: int, max_bytes: int) -> list[bytes]:
        """Whole batches from the one that holds `offset` (at or above `start`) on: one, and more up to `max_bytes`."""
        at = max(bisect_right(self._bases, offset, self._head) - 1, self._head)
        taken: list[bytes] = []
        for index in range(at, len(self._batches)):
            batch = self._batches[index]
            max_bytes -= len(batch)
            if taken and max_bytes < 0:
                break
            taken.append(batch)
        return taken

    def append(self, data: bytes, next_offset: int) -> None:
        """Add the batch between `end` and `next_offset`."""
        self._bases.append(self.end)
        self._batches.append(data)
        self.end = next_offset

    def drop_oldest(self) -> int:
        """Forget one batch; its size."""
        size = len(self._batches[self._head])
        self._batches[self._head] = b""
        self._head += 1
        if self._head == len(self._bases) or self._head == _COMPACT:
            del self._bases[: self._head], self._batches[: self._head]
            self._head = 0
        self.start = self._bases[self._head] if self._bases else self.end
        return size


@dataclass(slots=True, eq=False)
class Partition:
    """One partition. See the module for who may write which field."""

    id: int
    topic: str
    number: int
    start_offset: int
    next_offset: int
    max_message_bytes: int
    tail: Tail
    producers: dict[int, Producer] = field(default_factory=dict)
    waiters: set[asyncio.Future[None]] = field(default_factory=set)
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Topic:
    """One topic, with the limits that CreateTopics gave it."""

    id: int
    name: str
    limits: Limits
    partitions: list[Partition]


class TailCache:
    """Keeps all tails together within `max_bytes`; the oldest batch of any partition goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0
        self._order: deque[Tail] = deque()

    def append(self, tail: Tail, data: bytes, next_offset: int) -> None:
        """Add the newest batch of one partition, which ends before `next_offset`."""
        tail.append(data, next_offset)
        self._order.append(tail)
        self.bytes += len(data)
        while self.bytes > self._max_bytes:
            self.bytes -= self._order.popleft().drop_oldest()


def wake(waiters: Iterable[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
