"""The Fetch API: what is visible, or a wait until something is. Decoded by hand: every consumer lives in it."""

from __future__ import annotations

import asyncio
import struct
from typing import NamedTuple

from streams.embedded.broker.log import Log
from streams.embedded.broker.partition import Partition, wake
from streams.embedded.broker.protocol import ErrorCode, Request, read_string, write_string

_I32 = struct.Struct(">i")
_HEAD = struct.Struct(">iiiib")  # replica, max wait ms, min bytes, max bytes, isolation
_WANTED = {  # by version: the fields of one partition, and which of them are offset and size
    range(4, 5): (struct.Struct(">iqi"), 1, 2),  # partition, offset, max bytes
    range(5, 9): (struct.Struct(">iqqi"), 1, 3),  # partition, offset, log start, max bytes
    range(9, 12): (struct.Struct(">iiqqi"), 2, 4),  # partition, leader epoch, offset, log start, max bytes
}
_WANTED_OF = {version: layout for versions, layout in _WANTED.items() for version in versions}
_PART_V4 = struct.Struct(">ihqqi")  # partition, error, high watermark, last stable offset, no aborted transactions
_PART_V5 = struct.Struct(">ihqqqi")  # and the log's start offset
_NO_REPLICA = _I32.pack(-1)
_NO_THROTTLE = b"\0\0\0\0"
_HEAD_V7 = b"\0" * 10  # no throttle, no error, no session


class Wanted(NamedTuple):
    """One partition of a request; `partition` is None where there is none."""

    number: int
    partition: Partition | None
    offset: int
    max_bytes: int


class Fetch(NamedTuple):
    """One request."""

    max_wait: float  # seconds
    min_bytes: int
    max_bytes: int
    topics: list[tuple[str, list[Wanted]]]


async def fetch(log: Log, request: Request, max_bytes: int) -> bytes:
    """Whole batches from the asked offsets on, never above the high watermark."""
    loop = asyncio.get_running_loop()
    wanted = _decode(log, request, max_bytes)
    deadline = loop.time() + wanted.max_wait
    partitions = [one.partition for _, parts in wanted.topics for one in parts if one.partition is not None]
    while True:
        ends = sum(partition.tail.end for partition in partitions)
        body, size, failed = await _read(log, request.version, wanted)
        if size >= wanted.min_bytes or failed or loop.time() >= deadline:
            return body
        if ends == sum(partition.tail.end for partition in partitions):
            await _wait(partitions, deadline)


async def _wait(partitions: list[Partition], deadline: float) -> None:
    """Until something was appended to one of these, or the time is over."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(deadline, wake, (waiter,))
    for partition in partitions:
        partition.waiters.add(waiter)
    try:
        await waiter
    finally:
        timer.cancel()
        for partition in partitions:
            partition.waiters.discard(waiter)


async def _read(log: Log, version: int, wanted: Fetch) -> tuple[bytes, int, bool]:
    """The answer's body, how many bytes of records are in it, and whether some partition could not be read."""
    body = [_HEAD_V7 if version >= 7 else _NO_THROTTLE, _I32.pack(len(wanted.topics))]
    total, failed = 0, False
    for topic, parts in wanted.topics:
        body += (write_string(topic), _I32.pack(len(parts)))
        for one in parts:
            error, batches = await _batches(log, one, wanted.max_bytes - total)
            size = sum(map(len, batches))
            body += (_encode_part(version, one, error), _I32.pack(size), *batches)
            total += size
            failed = failed or error is not ErrorCode.NONE
    return b"".join(body), total, failed


async def _batches(log: Log, one: Wanted, room: int) -> tuple[ErrorCode, list[bytes]]:
    """At least one batch while there is room at all, however large, so that a consumer is never stuck before it."""
    partition = one.partition
    if partition is None or partition.deleted:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, []
    tail = partition.tail
    if not partition.start_offset <= one.offset <= tail.end:
        return ErrorCode.OFFSET_OUT_OF_RANGE, []
    if one.offset == tail.end or room <= 0:
        return ErrorCode.NONE, []
    max_bytes = min(one.max_bytes, room)
    if one.offset >= tail.start:
        return ErrorCode.NONE, tail.read(one.offset, max_bytes)
    return ErrorCode.NONE, await log.read(partition, one.offset, max_bytes)


def _decode(log: Log, request: Request, max_bytes: int) -> Fetch:
    """Raises one of MALFORMED. Sessions, leader epochs and racks are read over: there is one broker."""
    frame, at, version = request.frame, request.body_at, request.version
    _, wait_ms, min_bytes, limit, _ = _HEAD.unpack_from(frame, at)
    at += _HEAD.size + (8 if version >= 7 else 0)
    layout, offset_at, size_at = _WANTED_OF[version]
    (count,) = _I32.unpack_from(frame, at)
    at += 4
    topics: list[tuple[str, list[Wanted]]] = []
    for _ in range(count):
        topic, at = read_string(frame, at)
        (partitions,) = _I32.unpack_from(frame, at)
        at += 4
        parts: list[Wanted] = []
        for _ in range(partitions):
            fields = layout.unpack_from(frame, at)
            at += layout.size
            parts.append(Wanted(fields[0], log.partition(topic, fields[0]), fields[offset_at], fields[size_at]))
        topics.append((topic, parts))
    return Fetch(max(wait_ms, 0) / 1000, min_bytes, min(limit, max_bytes), topics)


def _encode_part(version: int, one: Wanted, error: ErrorCode) -> bytes:
    known = one.partition is not None and error is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    end = one.partition.tail.end if one.partition is not None and known else -1
    if version == 4:
        return _PART_V4.pack(one.number, error, end, end, -1)
    start = one.partition.start_offset if one.partition is not None and known else -1
    encoded = _PART_V5.pack(one.number, error, end, end, start, -1)
    return encoded if version < 11 else encoded + _NO_REPLICA
