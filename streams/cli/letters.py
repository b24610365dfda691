"""The dead letters as they lie on their topic: reading them all, and what writing one back means.

A letter is open until a marker with its id follows: a record with the header `replayed` and no value. Replaying writes
the record back first and the marker second, so a crash between the two leaves the letter open, and replaying it again
changes nothing: the record keeps its key, value and headers, so every id that follows from it is the same and what was
handled is absorbed. Never commits an offset, never deletes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from models.alert import read_envelope
from models.records import Outgoing, Record, Unreadable
from models.webhook_record import read_stamp, webhook_record
from streams import topics
from streams.cli.broker import partitions as topic_partitions

REPLAYED: Final = "replayed"
REPLAYED_AT: Final = "replayed_at"
REPLAYED_BY: Final = "replayed_by"
_ABOUT: Final = frozenset({"dead_letter_id", "dead_topic", "dead_reason", "dead_at"})
_FETCH_BYTES: Final = topics.MAX_RECORD_BYTES + topics.BATCH_OVERHEAD_BYTES
_READ_WITHIN: Final = 60.0
"""Seconds without a record until the broker counts as away."""
_ANSWER_WITHIN: Final = 15.0
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class NoTopicError(Exception):
    """The broker does not have the topic of the dead letters."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be handled, and why. `record` is it as it lies in the dead letters."""

    id: str
    topic: str
    reason: str
    at: datetime
    sender: str
    size: int
    refused: bool
    """True for a body that the receiver refused: it was never a record of `topic`."""
    record: Record = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What lies on the topic: letters, oldest first, without their bodies, and the ids that were replayed."""

    letters: tuple[Letter, ...]
    replayed: frozenset[str]

    def open(self) -> tuple[Letter, ...]:
        """Those that nobody has replayed since."""
        return tuple(letter for letter in self.letters if letter.id not in self.replayed)


async def read_letters(brokers: str) -> Found:
    """Reads the topic from its beginning to where it ends now; no body is kept, however many there are.

    Raises KafkaError or OSError when the broker does not answer, NoTopicError when there is no such topic.
    """
    letters: dict[str, Letter] = {}
    replayed: set[str] = set()
    async for record in _records(brokers):
        if (marker := record.headers.get(REPLAYED)) is not None:
            replayed.add(_text(marker))
        else:
            letter = _letter(record)
            # A redelivered record is buried under its id once more.
            letters.setdefault(letter.id, replace(letter, record=replace(record, value=None)))
    return Found(tuple(sorted(letters.values(), key=lambda letter: letter.at)), frozenset(replayed))


async def whole_letters(brokers: str, ids: Collection[str]) -> AsyncGenerator[Letter, None]:
    """The letters with these ids, bodies and all, one at a time. Those of one key come in the order in which they died.

    Raises as `read_letters` does.
    """
    left = set(ids)
    async with aclosing(_records(brokers)) as records:
        async for record in records:
            if REPLAYED not in record.headers and (letter := _letter(record)).id in left:
                left.discard(letter.id)
                yield letter


def original(letter: Letter) -> Outgoing:
    """The record as it was. Raises Unreadable for a refused body that cannot be read by this version either."""
    record = letter.record
    if letter.refused:
        envelope = read_envelope(record.value or b"")
        return webhook_record(letter.topic, read_stamp(record), envelope.groupKey, record.value or b"")
    if letter.topic not in {topic.name for topic in topics.TOPICS} - {topics.DEAD_LETTERS}:
        raise Unreadable(f"it does not say which topic it came from ({letter.topic!r})")
    headers = {name: value for name, value in record.headers.items() if name not in _ABOUT}
    return Outgoing(letter.topic, record.key or b"", record.value or b"", headers)


def marker(letter: Letter, by: str, now: datetime) -> Outgoing:
    """What says that `letter` was replayed."""
    headers = {REPLAYED: letter.id, REPLAYED_AT: now.isoformat(), REPLAYED_BY: by}
    encoded = {name: value.encode() for name, value in headers.items()}
    return Outgoing(topics.DEAD_LETTERS, letter.id.encode(), b"", encoded)


def _letter(record: Record) -> Letter:
    headers = record.headers
    letter_id = _text(headers.get("dead_letter_id", b"")) or str(
        uuid.uuid5(uuid.NAMESPACE_URL, f"{record.topic}/{record.partition}/{record.offset}")
    )
    return Letter(
        id=letter_id,
        topic=_text(headers.get("dead_topic", b"")),
        reason=_text(headers.get("dead_reason", b"no reason was given")),
        at=_instant(headers.get("dead_at", b"")),
        sender=_text(headers.get("sender", b"")) or "-",
        size=len(record.value or b""),
        refused=headers.get("webhook_id", b"") == headers.get("dead_letter_id"),
        record=record,
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _instant(value: bytes) -> datetime:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return _LONG_AGO
    return at if at.tzinfo else _LONG_AGO


async def _records(brokers: str) -> AsyncGenerator[Record, None]:
    """From the first record to the last that was there at the start, whatever is written meanwhile."""
    count = (await topic_partitions(brokers, _ANSWER_WITHIN)).get(topics.DEAD_LETTERS)
    if count is None:
        raise NoTopicError(topics.DEAD_LETTERS)
    async with _consumer(brokers) as consumer:
        partitions = [TopicPartition(topics.DEAD_LETTERS, one) for one in range(count)]
        consumer.assign(partitions)
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        while unread := [one for one in partitions if await consumer.position(one) < ends[one]]:
            async with asyncio.timeout(_READ_WITHIN):
                batches = await consumer.getmany(*unread, timeout_ms=1000)
            for partition, batch in batches.items():
                for one in batch:
                    if one.offset < ends[partition]:
                        yield Record(one.topic, one.partition, one.offset, one.key, one.value, dict(one.headers))


@asynccontextmanager
async def _consumer(brokers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        request_timeout_ms=int(_ANSWER_WITHIN * 1000),
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()
