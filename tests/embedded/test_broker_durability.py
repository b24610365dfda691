"""Nothing acknowledged is lost, nothing is seen too early, and a broker that was killed goes on where it was."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.embedded.broker import Broker, BrokerSettings, running
from tests.embedded import wire
from tests.embedded.broker_contract import NONE, OUT_OF_ORDER, consuming, declare, producing, take
from tests.embedded.broker_process import broker_process
from tests.streams.brokers import until

ILLEGAL_EPOCH = 47


def hold_back(broker: Broker) -> tuple[threading.Event, threading.Event]:
    """Stop the writer before its next commit: the first event says that it is there, the second lets it go on."""
    reached, disk = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        disk.wait(10)

    broker.storage.before_commit = wait
    return reached, disk


async def test_a_record_is_acknowledged_and_visible_only_once_it_is_on_disk(tmp_path: Path) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        address = f"127.0.0.1:{broker.port}"
        await declare(address, "t")
        async with producing(address) as producer, consuming(address, fetch_max_wait_ms=50) as consumer:
            await producer.send_and_wait("t", b"before")
            consumer.assign([TopicPartition("t", 0)])
            await take(consumer, 1)
            reached, disk = hold_back(broker)
            sent = asyncio.create_task(producer.send_and_wait("t", b"held back"))
            await asyncio.to_thread(reached.wait, 10)
            assert not await consumer.getmany(timeout_ms=300)
            assert not sent.done()
            assert await consumer.end_offsets([TopicPartition("t", 0)]) == {TopicPartition("t", 0): 1}
            broker.storage.before_commit = None
            disk.set()
            assert [record.value for record in await take(consumer, 1)] == [b"held back"]
            assert (await sent).offset == 1


async def test_requests_that_arrive_together_share_a_commit(tmp_path: Path) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        address = f"127.0.0.1:{broker.port}"
        await declare(address, "t")
        async with AsyncExitStack() as stack, producing(address) as producer:
            await producer.send_and_wait("t", b"first")
            connections = [await stack.enter_async_context(wire.connected(address)) for _ in range(20)]
            reached, disk = hold_back(broker)
            held = [asyncio.create_task(wire.produce(connections[0], "t", [(0, wire.batch(b"x"))]))]
            await asyncio.to_thread(reached.wait, 10)
            held += [asyncio.create_task(wire.produce(c, "t", [(0, wire.batch(b"x"))])) for c in connections[1:]]
            await until(lambda: broker.storage.waiting == 19)
            before, broker.storage.before_commit = broker.storage.commits, None
            disk.set()
            offsets = sorted(answer[0][1] for answer in await asyncio.gather(*held))
            assert offsets == list(range(1, 21))
            assert broker.storage.commits - before <= 2


async def test_idempotence_survives_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        await declare(f"127.0.0.1:{broker.port}", "t")
        async with wire.connected(f"127.0.0.1:{broker.port}") as connection:
            first = await wire.new_producer_id(connection)
            batches = [wire.batch(b"a", b"b", producer=(first, 3, sequence)) for sequence in range(0, 14, 2)]
            for data in batches:
                await wire.produce(connection, "t", [(0, data)])
    async with (
        running(tmp_path, "127.0.0.1", 0) as broker,
        wire.connected(f"127.0.0.1:{broker.port}") as connection,
    ):
        assert await wire.new_producer_id(connection) > first
        for number in range(2, 7):
            assert await wire.produce(connection, "t", [(0, batches[number])]) == {0: (NONE, 2 * number)}
        answers = [
            (await wire.produce(connection, "t", [(0, wire.batch(b"z", producer=producer))]))[0][0]
            for producer in ((first, 3, 99), (first, 2, 14), (first, 3, 14), (first, 4, 1), (first, 4, 0))
        ]
        assert answers == [OUT_OF_ORDER, ILLEGAL_EPOCH, NONE, OUT_OF_ORDER, NONE]


async def test_kill_9_in_mid_flow_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with broker_process(tmp_path) as broker:
        await declare(broker.address, "t")
        group = {"group_id": "g", "session_timeout_ms": 6000, "heartbeat_interval_ms": 300, "retry_backoff_ms": 50}
        async with producing(broker.address, retry_backoff_ms=50) as producer:
            acknowledged: list[int] = []
            seen: list[int] = []

            async def produce() -> None:
                for number in range(600):
                    await producer.send_and_wait("t", b"%d" % number, partition=0)
                    acknowledged.append(number)

            async with consuming(broker.address, "t", **group, enable_auto_commit=True) as consumer:

                async def consume() -> None:
                    while len(seen) < 600:
                        seen.append(int((await consumer.getone()).value))

                flow = asyncio.gather(produce(), consume())
                for _ in range(2):
                    progress = len(acknowledged)
                    await until(lambda progress=progress: len(acknowledged) > progress + 150)  # type: ignore[misc]
                    await broker.kill()
                    await broker.start()
                await asyncio.wait_for(flow, 20)
        async with consuming(broker.address, "t") as check:
            stored = [int(record.value) for record in await take(check, 600)]
            assert stored == list(range(600))  # idempotence: retried over the crash, stored once, in order
            assert set(seen) == set(stored)


async def test_a_stop_is_clean_and_a_consumer_of_the_backlog_gets_all_of_it(tmp_path: Path) -> None:
    settings = BrokerSettings(tail_bytes=200_000, max_fetch_bytes=400_000)
    async with broker_process(tmp_path) as broker:
        await declare(broker.address, "t")
        async with producing(broker.address, linger_ms=5) as producer:
            sends = [await producer.send("t", b"%06d" % n + b"x" * 2000, partition=0) for n in range(3000)]
            await asyncio.gather(*sends)
        assert await broker.stop() == 0
    assert not (tmp_path / "log.sqlite-wal").exists()
    async with running(tmp_path, "127.0.0.1", 0, settings) as again:
        address = f"127.0.0.1:{again.port}"
        async with consuming(address, "t") as consumer, producing(address) as producer:
            late = asyncio.create_task(producer.send_and_wait("t", b"%06d" % 3000, partition=0))
            assert [int(record.value[:6]) for record in await take(consumer, 3001)] == list(range(3001))
            await late
            assert again.log.cached_bytes <= settings.tail_bytes


MEMBER = {"group_id": "g", "session_timeout_ms": 10_000, "heartbeat_interval_ms": 100, "retry_backoff_ms": 50}


async def test_members_go_on_after_a_restart_without_a_rebalance(tmp_path: Path) -> None:
    async with broker_process(tmp_path) as broker, producing(broker.address, retry_backoff_ms=50) as producer:
        await declare(broker.address, "t")
        await producer.send_and_wait("t", b"one")
        async with consuming(broker.address, "t", **MEMBER) as consumer:
            await take(consumer, 1)
            generation = consumer._coordinator.generation
            await broker.kill()
            await broker.start()
            await producer.send_and_wait("t", b"two")
            await take(consumer, 1)
            await consumer.commit()
            assert consumer._coordinator.generation == generation


async def test_members_that_did_not_come_back_hold_nobody_up(tmp_path: Path) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        await declare(f"127.0.0.1:{broker.port}", "t")
        async with producing(f"127.0.0.1:{broker.port}") as producer:
            await producer.send_and_wait("t", b"one")
        ghost = AIOKafkaConsumer("t", bootstrap_servers=f"127.0.0.1:{broker.port}", **MEMBER)
        await ghost.start()
        await until(lambda: broker.coordinator.groups["g"].state.value == "Stable")
    await ghost.stop()  # dies with the broker, so nobody hears that it leaves
    settings = BrokerSettings(returning_member_grace=timedelta(milliseconds=500))
    async with running(tmp_path, "127.0.0.1", 0, settings) as broker:
        assert broker.coordinator.groups["g"].members
        address = f"127.0.0.1:{broker.port}"
        async with consuming(address, "t", **MEMBER) as successor:
            assert [record.value for record in await take(successor, 1, within=5)] == [b"one"]
