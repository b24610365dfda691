"""The Produce API, decoded by hand because every webhook waits for it."""

from __future__ import annotations

import struct

from streams.embedded.broker import batch as batches
from streams.embedded.broker.batch import Batch
from streams.embedded.broker.log import Appended, Log
from streams.embedded.broker.partition import Partition
from streams.embedded.broker.protocol import ErrorCode, Request, read_string, write_string
from streams.embedded.broker.storage import StorageError

_I16 = struct.Struct(">h")
_I32 = struct.Struct(">i")
_ACKS_TIMEOUT_TOPICS = struct.Struct(">hii")
_PARTITION_SIZE = struct.Struct(">ii")
_RESULT_V3 = struct.Struct(">ihqq")  # partition, error, base offset, append time (-1: the producer's timestamps stand)
_RESULT_V5 = struct.Struct(">ihqqq")  # and the log's start offset
_NO_RECORD_ERRORS_NO_MESSAGE = b"\0\0\0\0\xff\xff"
_NO_THROTTLE = b"\0\0\0\0"

# Where one partition's answer comes from: its number, and the batch or what is wrong with it.
_Part = tuple[int, Partition | None, Batch | ErrorCode]


async def produce(log: Log, request: Request) -> bytes | None:
    """Append all batches of one request in one commit; None when no answer is wanted (acks=0)."""
    acks, transactional, topics = _decode(log, request)
    appends = [
        (partition, part)
        for _, parts in topics
        for _, partition, part in parts
        if partition is not None and isinstance(part, Batch) and not transactional
    ]
    results = iter(await _append(log, appends))
    body = [_I32.pack(len(topics))]
    for topic, parts in topics:
        body += (write_string(topic), _I32.pack(len(parts)))
        for number, partition, part in parts:
            if transactional:
                result = Appended(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
            elif isinstance(part, ErrorCode):
                result = Appended(part)
            else:
                result = next(results)
            body.append(_encode_result(request.version, number, partition, result))
    body.append(_NO_THROTTLE)
    return b"".join(body) if acks != 0 else None


async def _append(log: Log, appends: list[tuple[Partition, Batch]]) -> list[Appended]:
    if not appends:
        return []
    try:
        return await log.append(appends)
    except StorageError:
        log.full.set()
        return [Appended(ErrorCode.KAFKA_STORAGE_ERROR)] * len(appends)


def _decode(log: Log, request: Request) -> tuple[int, bool, list[tuple[str, list[_Part]]]]:
    """Acks, whether it is of a transaction, and the batches. Raises one of MALFORMED."""
    frame, at = request.frame, request.body_at
    (length,) = _I16.unpack_from(frame, at)
    at += 2 + max(length, 0)
    acks, _, count = _ACKS_TIMEOUT_TOPICS.unpack_from(frame, at)
    at += _ACKS_TIMEOUT_TOPICS.size
    topics: list[tuple[str, list[_Part]]] = []
    for _ in range(count):
        topic, at = read_string(frame, at)
        (partitions,) = _I32.unpack_from(frame, at)
        at += 4
        parts: list[_Part] = []
        for _ in range(partitions):
            number, size = _PARTITION_SIZE.unpack_from(frame, at)
            at += _PARTITION_SIZE.size
            end = at + max(size, 0)
            if end > len(frame):
                raise ValueError("records are longer than their frame")
            partition = log.partition(topic, number)
            if partition is None:
                parts.append((number, None, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            else:
                parts.append((number, partition, batches.parse(frame[at:end], partition.max_message_bytes)))
            at = end
        topics.append((topic, parts))
    return acks, length >= 0, topics


def _encode_result(version: int, number: int, partition: Partition | None, result: Appended) -> bytes:
    error = result.error
    if version < 4 and error is ErrorCode.KAFKA_STORAGE_ERROR:
        error = ErrorCode.NOT_LEADER_OR_FOLLOWER  # such clients do not know the other, and retry on this
    if version < 5:
        return _RESULT_V3.pack(number, error, result.base_offset, -1)
    start = partition.start_offset if partition is not None else -1
    encoded = _RESULT_V5.pack(number, error, result.base_offset, -1, start)
    return encoded if version < 8 else encoded + _NO_RECORD_ERRORS_NO_MESSAGE
