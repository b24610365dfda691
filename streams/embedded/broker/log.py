"""Topics and partitions: appending, what is visible, reading back.

Work on the writer thread assigns (offsets, the total size) and stores; `_show` and its like, on the event loop, make
visible what is on disk. Who may touch what is said in `partition.py`; what leaves the log is `retention.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from streams.embedded.broker import batch as batches
from streams.embedded.broker.batch import Batch, Producer, Written
from streams.embedded.broker.partition import Partition, Tail, TailCache, Topic, wake
from streams.embedded.broker.protocol import ErrorCode
from streams.embedded.broker.settings import BrokerSettings, Limits, limits_of, unix_time
from streams.embedded.broker.storage import Storage, Transaction


class Appended(NamedTuple):
    """What became of one batch. `data` is what was stored, None for a refusal and for a duplicate."""

    error: ErrorCode
    base_offset: int = -1
    data: bytes | None = None


class Log:
    """All topics of one storage."""

    def __init__(self, storage: Storage, settings: BrokerSettings) -> None:
        self.storage = storage
        self.topics: dict[str, Topic] = {}
        self.full = asyncio.Event()  # set when a batch was refused for want of room, for retention to make some
        self.bytes = 0  # the writer's
        self._settings = settings
        self._cache = TailCache(settings.tail_bytes)
        self._load(storage.db)

    def partition(self, topic: str, number: int) -> Partition | None:
        found = self.topics.get(topic)
        return found.partitions[number] if found is not None and 0 <= number < len(found.partitions) else None

    def append(self, appends: list[tuple[Partition, Batch]]) -> asyncio.Future[list[Appended]]:
        """Store batches of one request; the answers come once they are on disk and visible.

        A batch may be refused for itself; a StorageError refuses them all.
        """
        return self.storage.submit(partial(self._append_all, appends), partial(self._show, appends))

    async def read(self, partition: Partition, offset: int, max_bytes: int) -> list[bytes]:
        """Whole batches below the high watermark from the disk, the first of them holding `offset`; at least one."""
        return await self.storage.read(partial(_read, partition.id, offset, partition.tail.end, max_bytes))

    async def offset_at(self, partition: Partition, timestamp_ms: int) -> tuple[int, int]:
        """Offset and timestamp of the first visible record not older than `timestamp_ms`; (-1, -1) for none."""
        found = await self.storage.read(partial(_first_batch_at, partition.id, timestamp_ms, partition.tail.end))
        return (found and batches.first_at_or_after(found, timestamp_ms)) or (-1, -1)

    async def create_topic(self, name: str, count: int, config: Mapping[str, str]) -> None:
        """Create a topic that does not exist; a second call while the first is under way does nothing."""
        await self.storage.submit(
            partial(_create_topic, name, count, config, limits_of(config, self._settings)), self._show_topic
        )

    async def delete_topic(self, topic: Topic) -> None:
        await self.storage.submit(partial(self._delete_topic, topic), lambda _: self._hide_topic(topic))

    async def new_producer_id(self) -> int:
        """A producer id never given before, whatever was restarted in between."""
        return await self.storage.submit(_new_producer_id)

    @property
    def cached_bytes(self) -> int:
        """What the newest batches take in memory."""
        return self._cache.bytes

    def _append_all(self, appends: list[tuple[Partition, Batch]], transaction: Transaction) -> list[Appended]:
        now_ms = int(unix_time() * 1000)
        return [self._append(transaction, partition, batch, now_ms) for partition, batch in appends]

    def _append(self, transaction: Transaction, partition: Partition, batch: Batch, now_ms: int) -> Appended:
        if partition.deleted:
            return Appended(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        known = partition.producers.get(batch.producer_id)
        if batch.producer_id >= 0:
            verdict = batches.check_sequence(known, batch)
            if isinstance(verdict, Written):
                return Appended(ErrorCode.NONE, verdict.base_offset)
            if verdict is not ErrorCode.NONE:
                return Appended(verdict)
        size = len(batch.data)
        if self.bytes + size > self._settings.max_log_bytes:
            return Appended(ErrorCode.KAFKA_STORAGE_ERROR)
        base = partition.next_offset
        data = batches.stamp(batch.data, base)
        row = (partition.id, base, base + batch.records - 1, size, now_ms, batch.max_ms, data)
        transaction.db.execute(_INSERT_BATCH, row)
        transaction.on_rollback(partial(self._take_back, partition, batch, base, known))
        partition.next_offset = base + batch.records
        self.bytes += size
        if batch.producer_id >= 0:
            producer = partition.producers[batch.producer_id] = batches.follow(known, batch, base)
            key = (partition.id, batch.producer_id)
            transaction.late(key, _KEEP_PRODUCER, (*key, producer.epoch, batches.pack_producer(producer), now_ms))
        return Appended(ErrorCode.NONE, base, data)

    def _take_back(self, partition: Partition, batch: Batch, base: int, known: Producer | None) -> None:
        partition.next_offset = base
        self.bytes -= len(batch.data)
        if known is not None:
            partition.producers[batch.producer_id] = known
        else:
            partition.producers.pop(batch.producer_id, None)

    def _show(self, appends: list[tuple[Partition, Batch]], results: list[Appended]) -> None:
        for (partition, batch), (error, base, data) in zip(appends, results, strict=True):
            if data is not None:
                self._cache.append(partition.tail, data, base + batch.records)
                wake(partition.waiters)
            elif error is ErrorCode.KAFKA_STORAGE_ERROR:
                self.full.set()

    def _show_topic(self, topic: Topic) -> None:
        self.topics.setdefault(topic.name, topic)

    def _delete_topic(self, topic: Topic, transaction: Transaction) -> None:
        for partition in topic.partitions:
            gone = _delete_partition(transaction.db, partition.id)
            self.bytes -= gone
            partition.deleted = True
            transaction.on_rollback(partial(self._undelete, partition, gone))
        transaction.db.execute("delete from topic where id = ?", (topic.id,))

    def _undelete(self, partition: Partition, size: int) -> None:
        partition.deleted = False
        self.bytes += size

    def _hide_topic(self, topic: Topic) -> None:
        if self.topics.get(topic.name) is topic:
            del self.topics[topic.name]
        for partition in topic.partitions:
            wake(partition.waiters)

    def _load(self, db: sqlite3.Connection) -> None:
        by_id: dict[int, Partition] = {}
        for topic_id, name, config in db.execute("select id, name, config from topic"):
            topic = self.topics[name] = Topic(topic_id, name, limits_of(json.loads(config), self._settings), [])
            for partition_id, number, start in db.execute(_PARTITIONS, [topic_id]).fetchall():
                last = db.execute(_LAST_OFFSET, [partition_id]).fetchone()
                end = last[0] + 1 if last is not None else start
                by_id[partition_id] = Partition(partition_id, name, number, start, end, topic.limits.message, Tail(end))
                topic.partitions.append(by_id[partition_id])
        (self.bytes,) = db.execute("select coalesce(sum(bytes), 0) from batch").fetchone()
        for partition_id, producer_id, epoch, packed in db.execute(_PRODUCERS):
            by_id[partition_id].producers[producer_id] = batches.unpack_producer(epoch, packed)


_PARTITIONS = "select id, number, start_offset from partition where topic = ? order by number"
_INSERT_BATCH = """
insert into batch (partition, base, last, bytes, appended_ms, max_ms, data) values (?, ?, ?, ?, ?, ?, ?)"""
_KEEP_PRODUCER = "replace into producer (partition, producer_id, epoch, batches, seen_ms) values (?, ?, ?, ?, ?)"
_LAST_OFFSET = "select last from batch where partition = ? order by base desc limit 1"
_PRODUCERS = "select partition, producer_id, epoch, batches from producer"
_READ = """
select data from batch where partition = :partition and base < :end and base >=
    coalesce((select max(base) from batch where partition = :partition and base <= :offset), :offset) order by base"""
_FIRST_BATCH_AT = "select data from batch where partition = ? and max_ms >= ? and base < ? order by base limit 1"


def _create_topic(name: str, count: int, config: Mapping[str, str], limits: Limits, transaction: Transaction) -> Topic:
    """Idempotent, since two requests may ask for one topic at once: the existing one stays, and is shown already."""
    db = transaction.db
    insert = "insert into topic (name, config) values (?, ?) on conflict do nothing"
    if db.execute(insert, (name, json.dumps(dict(config)))).rowcount == 0:
        return Topic(0, name, limits, [])
    (topic_id,) = db.execute("select id from topic where name = ?", [name]).fetchone()
    partitions = []
    for number in range(count):
        row = db.execute("insert into partition (topic, number) values (?, ?) returning id", (topic_id, number))
        partitions.append(Partition(row.fetchone()[0], name, number, 0, 0, limits.message, Tail(0)))
    return Topic(topic_id, name, limits, partitions)


def _read(partition_id: int, offset: int, end: int, max_bytes: int, db: sqlite3.Connection) -> list[bytes]:
    """Whole batches from the one that holds `offset` on, below `end`; at least one where there is one."""
    taken: list[bytes] = []
    rows = db.execute(_READ, {"partition": partition_id, "offset": offset, "end": end})
    for (data,) in rows:
        max_bytes -= len(data)
        if taken and max_bytes < 0:
            break
        taken.append(data)
    rows.close()  # an open cursor would hold its snapshot, and the write-ahead log could not start afresh
    return taken


def _first_batch_at(partition_id: int, timestamp_ms: int, end: int, db: sqlite3.Connection) -> bytes | None:
    """The first batch below `end` with a record not older than `timestamp_ms`."""
    row = db.execute(_FIRST_BATCH_AT, (partition_id, timestamp_ms, end)).fetchone()
    return None if row is None else row[0]


def _delete_partition(db: sqlite3.Connection, partition_id: int) -> int:
    """Delete all that is stored of a partition; the bytes that its batches had."""
    (size,) = db.execute("select coalesce(sum(bytes), 0) from batch where partition = ?", [partition_id]).fetchone()
    db.execute("delete from batch where partition = ?", [partition_id])
    db.execute("delete from producer where partition = ?", [partition_id])
    db.execute("delete from committed where partition = ?", [partition_id])
    db.execute("delete from partition where id = ?", [partition_id])
    return int(size)


def _new_producer_id(transaction: Transaction) -> int:
    """One never given before."""
    sql = "insert into counter values ('producer_id', 1) on conflict do update set value = value + 1 returning value"
    return int(transaction.db.execute(sql).fetchone()[0])
