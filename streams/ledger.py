"""What was fetched and not yet handled: the one truth about which offset may be committed.

Owns that account and nothing else. It must never name as committable an offset above an unhandled record.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from aiokafka.structs import ConsumerRecord
from faust.types import TP

WINDOW_RECORDS: Final = 4096
"""Records of one topic fetched and not yet handled beyond which it is not fetched: a slow topic stops no other."""
WINDOW_BYTES: Final = 4 * 1024 * 1024
"""Twice a batch (streams/consume.py): one is worked on while the next arrives. More is only memory."""


@dataclass(slots=True)
class _Partition:
    unhandled: dict[int, tuple[float, int]] = field(default_factory=dict)  # offset -> (fetched at, monotonic; bytes)
    after_last: int | None = None  # the offset after the last one fetched


@dataclass(slots=True)
class _Load:
    records: int = 0
    size: int = 0


class Ledger:
    """What was fetched and not yet handled, per partition. Filled in the consumer's thread, read in the loop's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: dict[TP, _Partition] = {}
        self._loads: dict[str, _Load] = defaultdict(_Load)

    def fetched(self, records: Mapping[TP, Sequence[ConsumerRecord[bytes | None, bytes | None]]]) -> None:
        now = monotonic()
        with self._lock:
            for tp, batch in records.items():
                partition = self._partitions.setdefault(TP(*tp), _Partition())
                load = self._loads[tp.topic]
                for record in batch:
                    size = len(record.key or b"") + len(record.value or b"")
                    if record.offset not in partition.unhandled:
                        load.records += 1
                        load.size += size
                        partition.unhandled[record.offset] = (now, size)
                if batch:
                    partition.after_last = batch[-1].offset + 1

    def done(self, tp: TP, offset: int) -> None:
        """The record needs nothing more. One that was rewound meanwhile, and not fetched again yet, stays unknown."""
        with self._lock:
            partition = self._partitions.get(tp)
            entry = partition.unhandled.pop(offset, None) if partition else None
            if entry is not None:
                load = self._loads[tp.topic]
                load.records -= 1
                load.size -= entry[1]

    def forget(self, tps: Iterable[TP]) -> None:
        """The partitions are no longer ours, or are about to be fetched again from their committed offset."""
        with self._lock:
            for tp in tps:
                partition = self._partitions.pop(TP(*tp), None)
                if partition is not None:
                    load = self._loads[tp.topic]
                    load.records -= len(partition.unhandled)
                    load.size -= sum(size for _, size in partition.unhandled.values())

    def committable(self, tp: TP) -> int | None:
        """The lowest unhandled offset, or the one after the last fetched; None when nothing was fetched."""
        with self._lock:
            partition = self._partitions.get(tp)
            if partition is None:
                return None
            # min(), not the first: after a log was cut short, fetched offsets do not only grow.
            return min(partition.unhandled) if partition.unhandled else partition.after_last

    def partitions(self) -> list[TP]:
        with self._lock:
            return list(self._partitions)

    def has_room(self, topic: str) -> bool:
        load = self._loads.get(topic)
        return load is None or (load.records < WINDOW_RECORDS and load.size < WINDOW_BYTES)

    def in_flight(self, topic: str) -> int:
        load = self._loads.get(topic)
        return load.records if load else 0

    def oldest_fetched_at(self, topic: str) -> float | None:
        """Monotonic instant at which the oldest unhandled record of the topic was fetched."""
        with self._lock:
            firsts = (
                next(iter(partition.unhandled.values()))[0]
                for tp, partition in self._partitions.items()
                if tp.topic == topic and partition.unhandled
            )
            return min(firsts, default=None)
