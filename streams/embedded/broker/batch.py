"""A record batch (message format 2) as bytes: its header fields, whether it is sound, and giving it its offset.

Owns the layout of the header. Never decompresses: a batch is stored and served as the producer made it.
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
NO_PRODUCER = -1


class Batch(NamedTuple):
    """One sound batch of so many `records` that has no offset yet; `max_ms` is its newest timestamp, in Unix time."""

    data: bytes
    records: int
    max_ms: int
    producer_id: int
    producer_epoch: int
    first_sequence: int


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
