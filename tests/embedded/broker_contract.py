"""What Tocsin needs of a Kafka, as tests that any broker must pass: the embedded one, and Apache Kafka beside it."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.structs import OffsetAndMetadata

from tests.embedded import wire
from tests.streams.brokers import until

NONE, CORRUPT_MESSAGE, UNKNOWN_MEMBER_ID, UNSUPPORTED_VERSION, OUT_OF_ORDER = 0, 2, 25, 35, 45


@asynccontextmanager
async def producing(bootstrap: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    settings = {"enable_idempotence": True, "acks": "all", "request_timeout_ms": 10_000, **options}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, **settings) as producer:
        yield producer


@asynccontextmanager
async def consuming(bootstrap: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **options}
    async with AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **settings) as consumer:
        yield consumer


async def declare(bootstrap: str, topic: str, partitions: int = 1, **config: str) -> None:
    """Create a topic; `retention_ms="0"` is its setting retention.ms."""
    options = {name.replace("_", "."): value for name, value in config.items()}
    async with admin(bootstrap) as client:
        created: Any = await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=options)])
    assert [error[1] for error in created.topic_errors] == [NONE]
    async with consuming(bootstrap) as consumer:  # a cluster takes a moment until every partition has its leader
        await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])


async def take(consumer: AIOKafkaConsumer, count: int, within: float = 15.0) -> list[Any]:
    """The next `count` records."""
    async with asyncio.timeout(within):
        return [await consumer.getone() for _ in range(count)]


class BrokerContract:
    """Subclass it with a fixture `bootstrap` that gives HOST:PORT."""

    @pytest.fixture
    async def topic(self, bootstrap: str) -> str:
        """A new topic of two partitions."""
        return await self.new_topic(bootstrap, 2)

    async def new_topic(self, bootstrap: str, partitions: int) -> str:
        name = f"contract.{uuid4().hex}"
        await declare(bootstrap, name, partitions)
        return name

    async def test_records_come_back_as_they_were_and_in_order(self, bootstrap: str, topic: str) -> None:
        headers = [("Tocsin-Id", b"\x00\xff"), ("Empty", b"")]
        async with producing(bootstrap) as producer:
            for number in range(200):
                which = number % 2
                await producer.send(topic, b"%d" % number, key=b"k%d" % which, headers=headers, partition=which)
            await producer.flush()
            null = await producer.send_and_wait(topic, None, key=b"tombstone", partition=0)
        async with consuming(bootstrap, topic) as consumer:
            records = await take(consumer, 201)
        for partition in (0, 1):
            mine = [record for record in records if record.partition == partition and record.value is not None]
            assert [int(record.value) for record in mine] == list(range(partition, 200, 2))
            assert [record.offset for record in mine] == list(range(100))
            assert {(record.key, record.headers) for record in mine} == {(b"k%d" % partition, tuple(headers))}
        assert null.offset == 100

    async def test_a_waiting_consumer_is_woken_by_a_record(self, bootstrap: str, topic: str) -> None:
        async with producing(bootstrap) as producer, consuming(bootstrap, fetch_max_wait_ms=20_000) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            await producer.send_and_wait(topic, b"first", partition=0)
            assert [record.value for record in await take(consumer, 1)] == [b"first"]
            sent = asyncio.create_task(producer.send_and_wait(topic, b"second", partition=0))
            assert [record.value for record in await take(consumer, 1, within=5)] == [b"second"]
            await sent

    async def test_a_compressed_batch_comes_back(self, bootstrap: str, topic: str) -> None:
        async with producing(bootstrap, compression_type="gzip", linger_ms=20) as producer:
            await asyncio.gather(*[await producer.send(topic, b"x" * 5000, partition=0) for _ in range(50)])
        async with consuming(bootstrap, topic) as consumer:
            assert {record.value for record in await take(consumer, 50)} == {b"x" * 5000}

    async def test_a_batch_sent_again_is_stored_once(self, bootstrap: str, topic: str) -> None:
        async with wire.connected(bootstrap) as connection:
            producer_id = await wire.new_producer_id(connection)
            batches = [wire.batch(b"a", b"b", producer=(producer_id, 0, first)) for first in range(0, 12, 2)]
            offsets = [await wire.produce(connection, topic, [(0, data), (1, data)]) for data in batches]
            assert offsets == [{0: (NONE, 2 * n), 1: (NONE, 2 * n)} for n in range(6)]
            for n in range(1, 6):  # the last five are remembered
                assert await wire.produce(connection, topic, [(1, batches[n])]) == {1: (NONE, 2 * n)}
            gap = wire.batch(b"c", producer=(producer_id, 0, 20))
            following = wire.batch(b"c", producer=(producer_id, 0, 12))
            mixed = await wire.produce(connection, topic, [(0, gap), (1, following)])
            assert (mixed[0][0], mixed[1]) == (OUT_OF_ORDER, (NONE, 12))

    async def test_a_batch_damaged_on_the_way_is_refused(self, bootstrap: str, topic: str) -> None:
        damaged = bytearray(wire.batch(b"precious"))
        damaged[-3] ^= 1
        async with wire.connected(bootstrap) as connection:
            answer = await wire.produce(connection, topic, [(0, bytes(damaged)), (1, wire.batch(b"sound"))])
        assert (answer[0][0], answer[1]) == (CORRUPT_MESSAGE, (NONE, 0))

    async def test_a_message_over_its_topics_limit_is_refused(self, bootstrap: str) -> None:
        topic = f"contract.{uuid4().hex}"
        await declare(bootstrap, topic, max_message_bytes="2000")
        async with producing(bootstrap) as producer:
            with pytest.raises(MessageSizeTooLargeError):
                await producer.send_and_wait(topic, b"x" * 2000)
        async with producing(bootstrap) as producer:
            assert (await producer.send_and_wait(topic, b"x" * 1800)).offset == 0

    async def test_offsets_are_found_by_time(self, bootstrap: str, topic: str) -> None:
        at, now = TopicPartition(topic, 0), int(time.time() * 1000)
        async with wire.connected(bootstrap) as connection:
            for start in (now, now + 1000, now + 2000):
                await wire.produce(connection, topic, [(0, wire.batch(b"a", b"b", timestamp=start, codec=wire.GZIP))])
        async with consuming(bootstrap) as consumer:
            consumer.assign([at])
            for after, offset, found in ((-9999, 0, 0), (1, 1, 1), (2, 2, 1000), (2001, 5, 2001)):
                hit = (await consumer.offsets_for_times({at: now + after}))[at]
                assert (hit.offset, hit.timestamp) == (offset, now + found)
            assert (await consumer.offsets_for_times({at: now + 2002}))[at] is None
            assert await consumer.beginning_offsets([at]) == {at: 0}
            assert await consumer.end_offsets([at]) == {at: 6}

    async def test_a_group_goes_on_where_it_committed(self, bootstrap: str, topic: str) -> None:
        async with producing(bootstrap) as producer:
            for number in range(10):
                await producer.send_and_wait(topic, b"%d" % number, partition=0)
        async with consuming(bootstrap, topic, group_id=topic) as consumer:
            await take(consumer, 4)
            await consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(3, "noted")})
        async with consuming(bootstrap, topic, group_id=topic) as consumer:
            assert [record.offset for record in await take(consumer, 7)] == list(range(3, 10))
        async with admin(bootstrap) as client:
            committed = await client.list_consumer_group_offsets(topic)
            assert committed[TopicPartition(topic, 0)] == OffsetAndMetadata(3, "noted")
            assert topic in {group[0] for group in await client.list_consumer_groups()}

    async def test_two_consumers_share_and_one_takes_over(self, bootstrap: str, topic: str) -> None:
        options = {"group_id": topic, "session_timeout_ms": 6000, "heartbeat_interval_ms": 200}
        async with producing(bootstrap) as producer, consuming(bootstrap, topic, **options) as stays:
            async with consuming(bootstrap, topic, **options) as leaves:
                await until(lambda: len(stays.assignment()) == len(leaves.assignment()) == 1)
                assert stays.assignment().isdisjoint(leaves.assignment())
                for partition in (0, 1):
                    await producer.send_and_wait(topic, b"shared", partition=partition)
                assert len(await take(stays, 1)) == len(await take(leaves, 1)) == 1
                await stays.commit()
            await until(lambda: len(stays.assignment()) == 2)
            # What the one that left had not committed comes again, what the other had does not.
            assert [record.value for record in await take(stays, 1)] == [b"shared"]

    async def test_a_commit_from_outside_the_generation_is_fenced(self, bootstrap: str, topic: str) -> None:
        async with consuming(bootstrap, topic, group_id=topic) as consumer:
            await until(lambda: bool(consumer.assignment()))
            async with wire.connected(bootstrap) as connection:
                stale = OffsetCommitRequest(topic, 1, "a-zombie", -1, [(topic, [(0, 5, "")])])
                answer: Any = await connection.send(stale)
            assert answer.topics == [(topic, [(0, UNKNOWN_MEMBER_ID)])]
            assert await consumer.committed(TopicPartition(topic, 0)) is None

    async def test_topics_are_described_and_refused(self, bootstrap: str, topic: str) -> None:
        async with admin(bootstrap) as client:
            assert topic in await client.list_topics()
            [described] = await client.describe_topics([topic])
            assert len(described["partitions"]) == 2
            for name, partitions, error in ((topic, 2, 36), ("no spaces", 1, 17), (f"{topic}.none", 0, 37)):
                answer: Any = await client.create_topics([NewTopic(name, partitions, 1)])
                assert [refused[1] for refused in answer.topic_errors] == [error]

    async def test_a_version_of_the_future_is_told_what_is_spoken(self, bootstrap: str) -> None:
        answer = await wire.ask(bootstrap, wire.frame(api=18, version=99, body=b"\0"))
        correlation_id, error, count = struct.unpack_from(">ihi", answer)
        assert (correlation_id, error) == (7, UNSUPPORTED_VERSION)
        assert 18 in {struct.unpack_from(">h", answer, 10 + 6 * n)[0] for n in range(count)}


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
