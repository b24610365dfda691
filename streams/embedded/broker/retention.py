"""What leaves the log, and when: by age, by size, and by need of room.

Never deletes what a registered group has not committed (nothing acknowledged is lost), whatever the limits say;
then the log fills up and produce is refused. Where room is needed, only what every registered group has consumed goes
before its time, so a topic that nobody has registered for (dead letters, say) keeps its full age.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from streams.embedded.broker.log import Log
from streams.embedded.broker.offsets import CommittedOffsets
from streams.embedded.broker.partition import Partition
from streams.embedded.broker.settings import BrokerSettings, Limits, unix_time
from streams.embedded.broker.storage import StorageError, Transaction

logger = logging.getLogger(__name__)

_CHUNK = 256  # batches deleted in one piece of work, so that a producer never waits long behind it
_ROOM = 0.9  # a full log (or disk) is brought down to this share of what it holds, if it can be
_PAUSE_WHEN_FULL = 0.5  # seconds between two tries to make room
_OLDEST = "select base, last, bytes, appended_ms from batch where partition = ? order by base limit ?"


class Trimmed(NamedTuple):
    """What one piece of work deleted: the partition's new start, and whether there may be more to delete."""

    start_offset: int
    more: bool


async def retain(log: Log, offsets: CommittedOffsets, settings: BrokerSettings) -> None:
    """Sweep for ever: at intervals, and at once when the log is full."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(log.full.wait(), settings.retention_every.total_seconds())
        full = log.full.is_set()
        log.full.clear()
        try:
            await sweep(log, offsets, settings, make_room=full)
        except StorageError as error:
            logger.warning("broker: old records could not be deleted, trying again: %s", error)
        if full:
            logger.warning("broker: out of room with %d MiB of records; %s", log.bytes >> 20, _holders(log, offsets))
            await asyncio.sleep(_PAUSE_WHEN_FULL)


async def sweep(log: Log, offsets: CommittedOffsets, settings: BrokerSettings, *, make_room: bool = False) -> None:
    """Delete what may go now. Raises StorageError."""
    room = min(_ROOM * log.bytes, settings.max_log_bytes - settings.max_message_bytes) if make_room else log.bytes
    expired_ms = int((unix_time() - settings.producer_expiry.total_seconds()) * 1000)
    await log.storage.submit(partial(_forget_producers, log, expired_ms))
    for topic in list(log.topics.values()):
        for partition in topic.partitions:
            more = True
            while more:
                floor = offsets.floor(topic).get(partition.id)
                trim = partial(_trim, log, partition, topic.limits, floor, room)
                more = (await log.storage.submit(trim, partial(_show, partition))).more


def _trim(log: Log, partition: Partition, limits: Limits, floor: int | None, room: float, tx: Transaction) -> Trimmed:
    """Delete up to a chunk of the oldest batches.

    `floor` is the first offset to keep, None where nobody is registered; `room` what the log may hold after it.
    """
    size = _size(tx, partition) if limits.size >= 0 else 0
    oldest_ms = unix_time() * 1000 - limits.age_ms if limits.age_ms >= 0 else 0
    start, freed, count = None, 0, 0
    for _, last, size_of_batch, appended_ms in tx.db.execute(_OLDEST, (partition.id, _CHUNK)).fetchall():
        needed = floor is not None and log.bytes - freed > room
        too_large = limits.size >= 0 and size - freed > limits.size
        if (floor is not None and last >= floor) or not (appended_ms < oldest_ms or too_large or needed):
            break
        start, freed, count = last + 1, freed + size_of_batch, count + 1
    if start is None:
        return Trimmed(partition.start_offset, more=False)
    tx.db.execute("delete from batch where partition = ? and base < ?", (partition.id, start))
    tx.db.execute("update partition set start_offset = ? where id = ?", (start, partition.id))
    tx.on_rollback(partial(_add, log, freed))
    _add(log, -freed)
    return Trimmed(start, more=count == _CHUNK)


def _size(tx: Transaction, partition: Partition) -> int:
    sql = "select coalesce(sum(bytes), 0) from batch where partition = ?"
    return int(tx.db.execute(sql, [partition.id]).fetchone()[0])


def _add(log: Log, size: int) -> None:
    log.bytes += size


def _show(partition: Partition, trimmed: Trimmed) -> None:
    partition.start_offset = trimmed.start_offset


def _forget_producers(log: Log, seen_before_ms: int, tx: Transaction) -> None:
    """Forgetting one too many in memory (should the commit fail) is what a restart would do as well."""
    sql = "delete from producer where seen_ms < ? returning partition, producer_id"
    gone = set(tx.db.execute(sql, [seen_before_ms]).fetchall())
    for topic in list(log.topics.values()) if gone else ():
        for partition in topic.partitions:
            for producer_id in [known for known in partition.producers if (partition.id, known) in gone]:
                del partition.producers[producer_id]


def _holders(log: Log, offsets: CommittedOffsets) -> str:
    """Who keeps the log from being trimmed, for people."""
    lags: dict[str, int] = {}
    for topic in log.topics.values():
        for partition in topic.partitions:
            for group, lag in offsets.lag(partition).items():
                lags[group] = lags.get(group, 0) + lag
    slowest = max(lags, key=lambda group: lags[group], default=None)
    if slowest is None or not lags[slowest]:
        return "nothing can be deleted before its retention time; give it more room"
    return f"group {slowest} has {lags[slowest]} records still to consume; start its workers or delete the group"
