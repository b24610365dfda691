"""What consumer groups have committed: durable before it is acknowledged, and what retention must leave alone.

Owns the committed offsets only. Who may commit is decided by the coordinator (`groups.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from streams.embedded.broker.partition import Partition, Topic
from streams.embedded.broker.storage import Storage, Transaction

MAX_METADATA = 4096  # offset.metadata.max.bytes


class Committed(NamedTuple):
    """The next offset that a group wants to read, and its own note."""

    offset: int
    metadata: str


class CommittedOffsets:
    """All groups' offsets, by partition id."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._groups: dict[str, dict[int, Committed]] = {}
        for group, partition_id, offset, metadata in storage.db.execute("select * from committed"):
            self._groups.setdefault(group, {})[partition_id] = Committed(offset, metadata)

    async def commit(self, group: str, offsets: Mapping[int, Committed]) -> None:
        """Returns once they are on disk. Raises StorageError."""
        rows = [(group, partition_id, *committed) for partition_id, committed in offsets.items()]
        await self._storage.submit(partial(_write, rows), lambda _: self._show(group, offsets))

    def of(self, group: str) -> Mapping[int, Committed]:
        return self._groups.get(group, {})

    @property
    def groups(self) -> Iterable[str]:
        return self._groups.keys()

    async def forget(self, group: str) -> None:
        """The group no longer holds anything back. Raises StorageError."""
        await self._storage.submit(partial(_delete, group), lambda _: self._hide(group))

    def floor(self, topic: Topic) -> dict[int, int]:
        """Per partition id the first offset that some group has still to consume; no entry where nobody is registered.

        A group is registered on a topic once it has committed any of its partitions, and then holds all of them.
        """
        floor: dict[int, int] = {}
        for offsets in self._groups.values():
            if not any(partition.id in offsets for partition in topic.partitions):
                continue
            for partition in topic.partitions:
                committed = offsets.get(partition.id)
                wanted = partition.start_offset if committed is None else committed.offset
                floor[partition.id] = min(wanted, floor.get(partition.id, wanted))
        return floor

    def lag(self, partition: Partition) -> dict[str, int]:
        """Records not yet consumed on one partition, by group."""
        held = ((group, offsets.get(partition.id)) for group, offsets in self._groups.items())
        return {group: max(partition.tail.end - at.offset, 0) for group, at in held if at is not None}

    def _hide(self, group: str) -> None:
        self._groups.pop(group, None)

    def _show(self, group: str, offsets: Mapping[int, Committed]) -> None:
        self._groups.setdefault(group, {}).update(offsets)


def _write(rows: list[tuple[str, int, int, str]], transaction: Transaction) -> None:
    for row in rows:
        transaction.late((row[0], row[1]), "replace into committed values (?, ?, ?, ?)", row)


def _delete(group: str, transaction: Transaction) -> None:
    transaction.db.execute("delete from committed where consumer_group = ?", [group])
