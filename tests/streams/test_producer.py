"""The producer: order, what it says when it cannot write, and that it goes on afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from models.records import Outgoing, Unreadable
from streams.producer import Producer
from streams.topics import MAX_RECORD_BYTES, TOPICS, WEEK, Topic, declare
from tests.streams.brokers import embedded_broker


async def written(broker: str, topic: str, count: int) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(10):
        records = [await anext(consumer) for _ in range(count)]
    return [(record.key, record.value, dict(record.headers)) for record in records]


async def test_records_are_written_in_order_with_all_they_carry(broker: str, unique: str) -> None:
    await declare(broker, [Topic(unique, WEEK, 1)])
    outgoing = [Outgoing(unique, b"k%d" % (number % 7), b"%d" % number, {"n": b"%d" % number}) for number in range(500)]
    async with Producer(broker) as producer:
        await asyncio.gather(producer.publish(outgoing), producer.publish([]))
    assert await written(broker, unique, 500) == [(one.key, one.value, one.headers) for one in outgoing]


async def test_a_record_that_is_too_large_is_refused_and_the_next_is_written(broker: str, unique: str) -> None:
    await declare(broker, [Topic(unique, WEEK, 1)])
    async with Producer(broker) as producer:
        with pytest.raises(Unreadable):
            await producer.publish([Outgoing(unique, b"k", b"x" * (MAX_RECORD_BYTES + 1))])
        await producer.publish([Outgoing(unique, b"k", b"fits")])
    assert await written(broker, unique, 1) == [(b"k", b"fits", {})]


async def test_no_broker_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(ConnectionError, match=r"^no Kafka broker answers at 127.0.0.1:1: start it"):
        await Producer("127.0.0.1:1").start()


async def test_a_broker_that_restarts_is_written_to_again(unique: str, tmp_path: Path) -> None:
    with embedded_broker(tmp_path) as address:
        await declare(address, [Topic(unique, WEEK, 1)])
        producer = Producer(address)
        await producer.publish([Outgoing(unique, b"k", b"before")])
    waiting = asyncio.create_task(producer.publish([Outgoing(unique, b"k", b"while it is away")]))
    with embedded_broker(tmp_path, bind=address):
        await waiting
        await producer.publish([Outgoing(unique, b"k", b"after")])
        values = [value for _, value, _ in await written(address, unique, 3)]
    await producer.close()
    assert values == [b"before", b"while it is away", b"after"]


async def test_declaring_twice_changes_nothing_and_other_partition_counts_are_reported(
    broker: str, unique: str
) -> None:
    await declare(broker)
    assert await declare(broker) == []
    await declare(broker, [Topic(unique, WEEK, 3)])
    lines = await declare(broker, [Topic(unique, WEEK, 8), TOPICS[0]])
    assert lines == [f"topic {unique} has 3 partitions, expected 8; left as it is"]
