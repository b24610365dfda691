"""Kafka requests one at a time, for what aiokafka's producer and consumer will not do on purpose."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

GZIP = 1


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[AIOKafkaConnection]:
    """One connection that speaks whatever both sides do."""
    host, port = address.rsplit(":", 1)
    connection = await create_conn(host, int(port))
    try:
        yield connection
    finally:
        connection.close()


def batch(
    *values: bytes, producer: tuple[int, int, int] = (-1, -1, -1), timestamp: int = 1_700_000_000_000, codec: int = 0
) -> bytes:
    """One record batch; `producer` is id, epoch and first sequence. Timestamps go up by one millisecond a record."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, *producer, 1 << 24)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp + offset, None, value, [])
    return bytes(builder.build())


async def produce(
    connection: AIOKafkaConnection, topic: str, batches: Sequence[tuple[int, bytes]]
) -> dict[int, tuple[int, int]]:
    """Send batches to partitions in one request; error code and base offset by partition."""
    request = ProduceRequest(transactional_id=None, required_acks=-1, timeout=5000, topics=[(topic, list(batches))])
    answer: Any = await connection.send(request)
    [(_, parts)] = answer.topics
    return {part[0]: (part[1], part[2]) for part in parts}


async def new_producer_id(connection: AIOKafkaConnection) -> int:
    """As an idempotent producer asks for it."""
    answer: Any = await connection.send(InitProducerIdRequest(None, 1000))
    assert answer.error_code == 0
    return int(answer.producer_id)


async def exchange(address: str, *frames: bytes) -> bytes:
    """Send raw bytes, then half-close; everything that comes back until the other side hangs up."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"".join(frames))
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def ask(address: str, request: bytes) -> bytes:
    """Send one raw frame; what comes back, without its length."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        (size,) = struct.unpack(">i", await asyncio.wait_for(reader.readexactly(4), 5))
        return await asyncio.wait_for(reader.readexactly(size), 5)
    finally:
        writer.close()


def frame(api: int, version: int, body: bytes = b"", correlation_id: int = 7) -> bytes:
    """One request frame with a client id."""
    payload = struct.pack(">hhih", api, version, correlation_id, 4) + b"test" + body
    return struct.pack(">i", len(payload)) + payload
