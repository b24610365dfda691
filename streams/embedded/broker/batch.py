"""A record batch (message format 2): whether it is sound, its offset, and its place in what its producer writes.

Owns the layout of the header, and what is remembered of an idempotent producer: the last five batches, per partition
(stored beside the batches, and so as durable). Pure. Never decompresses: a batch is stored and served as it was made.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from streams.embedded.broker.protocol import ErrorCode

# base offset, length, leader epoch, magic, crc, attributes, last offset delta, first and max timestamp,
# producer id, producer epoch, first sequence, record count
_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT = 12  # the batch length counts what follows these first bytes
_CRC_FROM = 21  # the checksum covers everything from the attributes on
_STAMP = struct.Struct(">q")
_TRANSACTIONAL_OR_CONTROL = 0x30
_REMEMBERED = 5  # as Kafka: no client has more than five requests in flight
_SEQUENCES = 2**31  # after the largest sequence comes 0
_WRITTEN = struct.Struct(">iiq")


class Batch(NamedTuple):
    """One sound batch of so many `records` that has no offset yet; `max_ms` is its newest timestamp, in Unix time."""

    data: bytes
    records: int
    max_ms: int
    producer_id: int
    producer_epoch: int
    first_sequence: int


class Written(NamedTuple):
    """A batch in the log, by its sequences."""

    first_sequence: int
    last_sequence: int
    base_offset: int


class Producer(NamedTuple):
    """One producer on one partition; newest batch last."""

    epoch: int
    batches: tuple[Written, ...]


def parse(data: bytes, max_bytes: int) -> Batch | ErrorCode:
    """The batch in `data`, or what is wrong with it."""
    if len(data) > max_bytes:
        return ErrorCode.MESSAGE_TOO_LARGE
    if len(data) < _HEADER.size:
        return ErrorCode.CORRUPT_MESSAGE
    (_, length, _, magic, crc, attributes, last_delta, _, max_ms, producer_id, epoch, sequence, count) = (
        _HEADER.unpack_from(data)
    )
    if magic != 2:
        return ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT
    if length != len(data) - _LENGTH_AT:
        # Kafka too takes exactly one batch a partition from producers of this format.
        return ErrorCode.INVALID_RECORD if 0 < length < len(data) - _LENGTH_AT else ErrorCode.CORRUPT_MESSAGE
    if calc_crc32c(memoryview(data)[_CRC_FROM:]) != crc:
        return ErrorCode.CORRUPT_MESSAGE
    if attributes & _TRANSACTIONAL_OR_CONTROL:
        return ErrorCode.INVALID_TXN_STATE
    if count <= 0 or last_delta != count - 1 or (producer_id >= 0 and (sequence < 0 or epoch < 0)):
        return ErrorCode.INVALID_RECORD
    return Batch(data, count, max_ms, producer_id, epoch, sequence)


def stamp(data: bytes, base_offset: int) -> bytes:
    """The batch with its place in the log; offset and leader epoch lie outside the checksum."""
    return b"".join((_STAMP.pack(base_offset), data[8:12], b"\0\0\0\0", data[16:]))


def first_at_or_after(data: bytes, timestamp_ms: int) -> tuple[int, int] | None:
    """Offset and timestamp of the first record in a stored batch that is not older than `timestamp_ms`."""
    records = MemoryRecords(data)
    while (batch := records.next_batch()) is not None:
        for record in batch:
            if record.timestamp is not None and record.timestamp >= timestamp_ms:
                return record.offset, record.timestamp
    return None


def check_sequence(known: Producer | None, batch: Batch) -> Written | ErrorCode:
    """NONE: append it. A Written: it is already there. Anything else: refuse it.

    A producer never seen (or forgotten) may begin anywhere, as in Kafka since KIP-360.
    """
    if known is None:
        return ErrorCode.NONE
    if batch.producer_epoch < known.epoch:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if batch.producer_epoch > known.epoch:
        return ErrorCode.NONE if batch.first_sequence == 0 else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    last_sequence = _last_sequence(batch)
    for written in known.batches:
        if written.first_sequence == batch.first_sequence and written.last_sequence == last_sequence:
            return written
    expected = (known.batches[-1].last_sequence + 1) % _SEQUENCES
    return ErrorCode.NONE if batch.first_sequence == expected else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def follow(known: Producer | None, batch: Batch, base_offset: int) -> Producer:
    """The memory once `batch` is in the log at `base_offset`."""
    before = known.batches if known is not None and known.epoch == batch.producer_epoch else ()
    written = Written(batch.first_sequence, _last_sequence(batch), base_offset)
    return Producer(batch.producer_epoch, (*before[1 - _REMEMBERED :], written))


def pack_producer(producer: Producer) -> bytes:
    """The batches as bytes; the epoch is a column of its own."""
    return b"".join(_WRITTEN.pack(*written) for written in producer.batches)


def unpack_producer(epoch: int, batches: bytes) -> Producer:
    """The reverse of `pack_producer`."""
    return Producer(epoch, tuple(Written(*entry) for entry in _WRITTEN.iter_unpack(batches)))


def _last_sequence(batch: Batch) -> int:
    return (batch.first_sequence + batch.records - 1) % _SEQUENCES
