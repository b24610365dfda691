"""A log that is full, old or too small, and data directories that cannot be had."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.protocol.admin import DeleteGroupsRequest

from streams.embedded.broker import Broker, BrokerError, BrokerSettings, running, serve_broker
from streams.embedded.broker.retention import sweep
from tests.embedded import wire
from tests.embedded.broker_contract import NONE, admin, consuming, declare, producing, take
from tests.embedded.broker_process import broker_process
from tests.streams.brokers import until

KAFKA_STORAGE_ERROR = 56
KIB = 1024


@asynccontextmanager
async def broker_at(path: Path, **settings: object) -> AsyncIterator[tuple[Broker, str]]:
    async with running(path, "127.0.0.1", 0, BrokerSettings(**settings)) as broker:  # type: ignore[arg-type]
        yield broker, f"127.0.0.1:{broker.port}"


async def fill(address: str, topic: str, count: int, size: int = KIB) -> None:
    async with wire.connected(address) as connection:
        for _ in range(count):
            assert (await wire.produce(connection, topic, [(0, wire.batch(b"x" * size))]))[0][0] == NONE


async def test_retention_leaves_what_a_group_has_not_consumed(tmp_path: Path) -> None:
    async with broker_at(tmp_path) as (broker, address):
        await declare(address, "read", retention_bytes="4096")
        await declare(address, "unread", retention_bytes="4096")
        await declare(address, "old", retention_ms="0")
        await declare(address, "lagging", retention_ms="0")
        for topic in ("read", "unread", "old", "lagging"):
            await fill(address, topic, 20)
        for topic, offset in (("read", 18), ("lagging", 5)):
            async with consuming(address, topic, group_id="g") as consumer:
                await take(consumer, 1)
                await consumer.commit({TopicPartition(topic, 0): offset})
        await sweep(broker.log, broker.offsets, broker.settings)
        starts = {name: topic.partitions[0].start_offset for name, topic in broker.log.topics.items()}
        assert starts == {"read": 17, "unread": 17, "old": 20, "lagging": 5}
        async with consuming(address, "lagging", group_id="g") as consumer:
            assert [record.offset for record in await take(consumer, 15)] == list(range(5, 20))
        stored = broker.log.bytes
    async with broker_at(tmp_path) as (broker, address):  # and a restart remembers what is gone
        assert broker.log.bytes == stored
        partition = broker.log.topics["old"].partitions[0]
        assert (partition.start_offset, partition.tail.end) == (20, 20)
        async with consuming(address, "read") as consumer:
            assert [record.offset for record in await take(consumer, 3)] == [17, 18, 19]


async def test_a_full_log_refuses_until_its_consumer_has_caught_up(tmp_path: Path) -> None:
    async with broker_at(tmp_path, max_log_bytes=64 * KIB, max_message_bytes=16 * KIB) as (broker, address):
        await declare(address, "t")
        async with producing(address, retry_backoff_ms=50) as producer, consuming(address, group_id="g") as consumer:
            at = TopicPartition("t", 0)
            consumer.assign([at])
            await producer.send_and_wait("t", b"first" + b"x" * 10_000)
            await consumer.commit({at: 0})
            for _ in range(5):
                await producer.send_and_wait("t", b"x" * 10_000)
            async with wire.connected(address) as connection:
                refused = await wire.produce(connection, "t", [(0, wire.batch(b"x" * 10_000))])
            assert refused[0][0] == KAFKA_STORAGE_ERROR
            waiting = asyncio.create_task(producer.send_and_wait("t", b"last" + b"x" * 10_000))
            await until(lambda: not broker.log.full.is_set())
            assert not waiting.done()
            assert broker.log.topics["t"].partitions[0].start_offset == 0
            await consumer.commit({at: 5})  # a commit is never refused for want of room
            assert (await asyncio.wait_for(waiting, 10)).offset == 6
        async with consuming(address, "t", group_id="g") as consumer:
            assert [record.offset for record in await take(consumer, 2)] == [5, 6]


async def test_a_full_disk_applies_nothing_by_half_and_is_survived(tmp_path: Path) -> None:
    async with broker_at(tmp_path) as (broker, address):
        await declare(address, "t", partitions=2)
        await fill(address, "t", 1)
        async with wire.connected(address) as connection:
            producer_id = await wire.new_producer_id(connection)
            [(pages,)] = await broker.storage.submit(lambda tx: tx.db.execute("pragma page_count").fetchall())
            await limit_pages(broker, pages + 4)
            small = wire.batch(b"small", producer=(producer_id, 0, 0))
            large = wire.batch(b"x" * 500_000, producer=(producer_id, 0, 0))
            refused = await wire.produce(connection, "t", [(0, small), (1, large)])
            assert [refused[number][0] for number in (0, 1)] == [KAFKA_STORAGE_ERROR] * 2
            async with consuming(address) as consumer:
                ends = await consumer.end_offsets([TopicPartition("t", 0), TopicPartition("t", 1)])
            assert list(ends.values()) == [1, 0]
            await limit_pages(broker, 1_000_000)
            accepted = await wire.produce(connection, "t", [(0, small), (1, large)])
            assert accepted == {0: (NONE, 1), 1: (NONE, 0)}  # neither a duplicate nor out of order: it never was there


async def limit_pages(broker: Broker, pages: int) -> None:
    """What a full disk looks like from within SQLite."""
    await broker.storage.submit(lambda tx: tx.db.execute(f"pragma max_page_count = {pages}").fetchall())


async def test_a_message_over_the_limit_is_refused_and_one_at_a_webhooks_limit_is_not(tmp_path: Path) -> None:
    async with broker_at(tmp_path) as (_, address), producing(address, max_request_size=20 << 20) as producer:
        await declare(address, "t")
        body = os.urandom(10 << 20)
        await producer.send_and_wait("t", body)
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait("t", body + body[: 3 << 20])
        async with consuming(address, "t") as consumer:  # larger than what the consumer asks for at once
            assert (await take(consumer, 1))[0].value == body


async def test_deleting_a_group_lets_go_of_what_it_held(tmp_path: Path) -> None:
    async with broker_at(tmp_path) as (broker, address):
        await declare(address, "t", retention_ms="0")
        await fill(address, "t", 3)
        async with consuming(address, "t", group_id="g") as consumer:
            await take(consumer, 1)
            await consumer.commit({TopicPartition("t", 0): 0})
        async with wire.connected(address) as connection:
            assert (await connection.send(DeleteGroupsRequest(["g"]))).results == [("g", NONE)]
        await sweep(broker.log, broker.offsets, broker.settings)
        assert broker.log.topics["t"].partitions[0].start_offset == 3


async def test_a_deleted_topic_begins_anew(tmp_path: Path) -> None:
    async with broker_at(tmp_path) as (broker, address):
        await declare(address, "t")
        await fill(address, "t", 3)
        async with admin(address) as client:
            await client.delete_topics(["t"])
            assert await client.list_topics() == []
            assert broker.log.bytes == 0
        await declare(address, "t")
        await fill(address, "t", 1)
        async with consuming(address, "t") as consumer:
            assert [record.offset for record in await take(consumer, 1)] == [0]


async def test_a_producer_long_silent_is_forgotten(tmp_path: Path) -> None:
    async with broker_at(tmp_path, producer_expiry=timedelta(0)) as (broker, address):
        await declare(address, "t")
        async with producing(address) as producer:
            await producer.send_and_wait("t", b"x")
            partition = broker.log.topics["t"].partitions[0]
            assert len(partition.producers) == 1
            await asyncio.sleep(0.002)
            await sweep(broker.log, broker.offsets, broker.settings)
            assert not partition.producers
            assert (await producer.send_and_wait("t", b"y")).offset == 1


async def test_a_second_broker_on_one_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    async with broker_process(tmp_path) as broker:
        second = await broker.spawn()
        out, err = await second.communicate()
        assert (second.returncode, out) == (1, b"")
        assert err.decode().splitlines() == [
            f"error: another broker is running on {tmp_path}; stop it or choose another directory"
        ]
        await broker.kill()
        await broker.start()  # a lock dies with its process


async def test_what_cannot_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    async def refusal(path: Path, port: int = 0) -> str:
        with pytest.raises(BrokerError) as refused:
            await serve_broker(path, "127.0.0.1", port, lambda port: None, asyncio.Event())
        message = str(refused.value)
        assert "\n" not in message
        return message

    (tmp_path / "file").write_text("no directory")
    assert "cannot write to" in await refusal(tmp_path / "file" / "data")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "log.sqlite").write_bytes(b"no database " * 100)
    assert "cannot open" in await refusal(tmp_path / "foreign")
    async with broker_at(tmp_path / "future"):
        pass
    with sqlite3.connect(tmp_path / "future" / "log.sqlite") as db:
        db.execute("pragma user_version = 99")
    assert "format 99" in await refusal(tmp_path / "future")
    async with broker_at(tmp_path / "one") as (broker, _):
        assert "choose another port" in await refusal(tmp_path / "two", broker.port)
    async with broker_at(tmp_path / "two"):
        pass  # what failed to start has let go of its directory
