"""An agent's batches on a real broker: what it does with good, bad, large, slow and interrupted ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaProducer
from mode.threads import WorkerThread

from models.records import Agent, Outgoing, Record, Unreadable
from streams.batches import Abandoned, Settler
from streams.consume import Consumption, attach
from streams.group import faust_app, run_app
from streams.ledger import WINDOW_RECORDS
from streams.producer import Producer
from streams.topics import MAX_RECORD_BYTES, WEEK, Topic, declare
from tests.streams.brokers import until

KIB = 1024


class Bench:
    """Agents on topics of one broker, with what they handled and what was put aside."""

    def __init__(self, broker: str, name: str, producer: Producer) -> None:
        self.app = faust_app(name, broker)
        self.stop = asyncio.Event()
        self.dead: list[tuple[Record, str]] = []
        self.running: asyncio.Task[None] | None = None
        self._producer = producer

    def attach(self, topic: str, agent: Agent) -> Consumption:
        return attach(self.app, topic, agent, dead_letter=self._bury, transient=(OSError,))

    def start(self) -> None:
        self.running = asyncio.create_task(run_app(self.app, self.stop))

    async def publish(self, topic: str, *values: bytes) -> None:
        await self._producer.publish([Outgoing(topic, b"key", value) for value in values])

    async def finish(self) -> None:
        self.stop.set()
        assert self.running is not None
        async with asyncio.timeout(12):
            await self.running

    async def _bury(self, record: Record, reason: str) -> None:
        self.dead.append((record, reason))


@pytest.fixture
async def bench(broker: str, unique: str) -> AsyncIterator[Bench]:
    async with Producer(broker) as producer:
        started = Bench(broker, unique, producer)
        yield started
        if started.running is not None and not started.running.done():
            started.stop.set()
            with suppress(Exception):
                await started.running


@pytest.fixture
async def topic(broker: str, unique: str) -> str:
    await declare(broker, [Topic(unique, WEEK, 1)])
    return unique


async def test_records_arrive_in_batches_with_all_they_carry(bench: Bench, broker: str, topic: str) -> None:
    seen: list[Record] = []
    gate = asyncio.Event()
    sizes = []

    async def agent(records: Sequence[Record]) -> None:
        sizes.append(len(records))
        seen.extend(records)
        await gate.wait()

    consumption = bench.attach(topic, agent)
    bench.start()
    await bench.publish(topic, b"first")
    await until(lambda: len(seen) == 1)
    await bench.publish(topic, *(b"%d" % number for number in range(100)))
    await until(lambda: consumption.facts().in_flight == 101)
    assert (consumption.facts().oldest_unacked_seconds or 0) > 0
    gate.set()
    await until(lambda: len(seen) == 101 and consumption.facts().in_flight == 0)

    assert sizes[0] == 1, "at once when idle"
    assert len(sizes) < 10, "together under load"
    assert [record.offset for record in seen] == list(range(101))
    assert seen[0] == Record(topic, 0, 0, b"key", b"first", {})
    assert consumption.facts().last_batch_records == sizes[-1]
    assert consumption.facts().oldest_unacked_seconds is None
    await bench.finish()


async def test_a_null_value_and_headers(bench: Bench, broker: str, topic: str) -> None:
    seen: list[Record] = []

    async def agent(records: Sequence[Record]) -> None:
        seen.extend(records)

    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(topic, None, key=b"tombstone")
        await producer.send_and_wait(topic, b"v", headers=[("trace", b"1")])
    bench.attach(topic, agent)
    bench.start()
    await until(lambda: len(seen) == 2)
    assert seen == [
        Record(topic, 0, 0, b"tombstone", None, {}),
        Record(topic, 0, 1, None, b"v", {"trace": b"1"}),
    ]


async def test_the_largest_record_arrives(bench: Bench, topic: str) -> None:
    sizes: list[int] = []

    async def agent(records: Sequence[Record]) -> None:
        sizes.extend(len(record.value or b"") for record in records)

    bench.attach(topic, agent)
    bench.start()
    large = MAX_RECORD_BYTES - 1024
    await bench.publish(topic, b"small", b"x" * large, b"small", b"y" * large, b"small")
    await until(lambda: len(sizes) == 5)
    assert sizes == [5, large, 5, large, 5]


async def test_poison_is_put_aside_and_order_holds_around_it(bench: Bench, topic: str) -> None:
    handled: list[bytes | None] = []

    async def agent(records: Sequence[Record]) -> None:
        if any(record.value == b"poison" for record in records):
            raise Unreadable("no JSON at all")
        if any(record.value == b"bug" for record in records):
            raise KeyError("labels")
        handled.extend(record.value for record in records)

    values = [b"%d" % number for number in range(40)]
    await bench.publish(topic, *values[:7], b"poison", *values[7:20], b"bug", b"poison", *values[20:])
    bench.attach(topic, agent)
    bench.start()
    await until(lambda: len(handled) == len(values))
    assert handled == values
    assert [(record.value, reason) for record, reason in bench.dead] == [
        (b"poison", "no JSON at all"),
        (b"bug", "KeyError: 'labels'"),
        (b"poison", "no JSON at all"),
    ]
    await bench.finish()


async def test_a_topic_that_stands_still_stops_no_other(bench: Bench, broker: str, topic: str) -> None:
    other = topic + ".other"
    await declare(broker, [Topic(other, WEEK, 1)])
    stuck = asyncio.Event()
    handled = 0

    async def stands_still(records: Sequence[Record]) -> None:
        stuck.set()
        raise ConnectionRefusedError("the database is away")

    async def goes_on(records: Sequence[Record]) -> None:
        nonlocal handled
        handled += len(records)

    slow = bench.attach(topic, stands_still)
    bench.attach(other, goes_on)
    bench.start()
    await bench.publish(topic, *[b"x"] * (3 * WINDOW_RECORDS))
    await stuck.wait()
    await until(lambda: slow.facts().in_flight >= WINDOW_RECORDS)
    await bench.publish(other, *[b"y"] * 50)
    await until(lambda: handled == 50, within=3)
    assert slow.facts().in_flight < 2 * WINDOW_RECORDS, "memory is bounded"
    assert slow.facts().trouble == "ConnectionRefusedError: the database is away"
    await bench.finish()  # a batch that is being tried again does not hold the shutdown


async def test_what_is_held_is_bounded_by_bytes_whatever_the_backlog(bench: Bench, broker: str, topic: str) -> None:
    small, large = topic + ".small", topic + ".large"
    await declare(broker, [Topic(name, WEEK, 1) for name in (small, large)])
    taken: list[int] = []
    rounds: list[Record] = []

    async def stands_still(records: Sequence[Record]) -> None:
        taken.append(sum(len(record.value or b"") for record in records))
        raise ConnectionRefusedError

    async def goes_on(records: Sequence[Record]) -> None:
        rounds.extend(records)

    await bench.publish(small, *[b"x" * 64 * KIB] * 100)
    await bench.publish(large, *[b"x" * 64 * KIB] * 400)
    waiting = [bench.attach(name, stands_still) for name in (small, large)]
    bench.attach(topic, goes_on)
    bench.start()
    await until(lambda: all(one.facts().in_flight * 64 * KIB >= 4 * KIB * KIB for one in waiting))
    for number in range(1, 4):  # fetched after what was on its way
        await bench.publish(topic, b"next")
        await until(lambda number=number: len(rounds) == number)  # type: ignore[misc]
    held = [one.facts().in_flight * 64 * KIB for one in waiting]
    assert max(held) <= 5 * KIB * KIB
    assert max(taken) <= 2 * KIB * KIB
    await bench.finish()


async def test_what_a_shutdown_interrupts_is_delivered_again(bench: Bench, broker: str, topic: str) -> None:
    async def never(records: Sequence[Record]) -> None:
        raise ConnectionResetError

    await bench.publish(topic, b"1", b"2")
    waiting = bench.attach(topic, never)
    bench.start()
    await until(lambda: waiting.facts().trouble is not None)
    await bench.finish()

    seen: list[bytes | None] = []

    async def agent(records: Sequence[Record]) -> None:
        seen.extend(record.value for record in records)

    async with Producer(broker) as producer:
        again = Bench(broker, topic, producer)
        again.attach(topic, agent)
        again.start()
        await until(lambda: len(seen) == 2)
        await again.finish()
    assert seen == [b"1", b"2"]


async def test_a_crash_of_faust_ends_run_app(bench: Bench, topic: str) -> None:
    seen = asyncio.Event()

    async def agent(records: Sequence[Record]) -> None:
        seen.set()

    bench.attach(topic, agent)
    bench.start()
    await bench.publish(topic, b"1")
    await seen.wait()
    await bench.app.crash(RuntimeError("out of order"))
    assert bench.running is not None
    with pytest.raises(RuntimeError, match="out of order"):
        async with asyncio.timeout(12):
            await bench.running
    await until(lambda: not any(isinstance(thread, WorkerThread) for thread in threading.enumerate()))


# The outcome rules, without a broker


def a_batch(*values: bytes) -> list[Record]:
    return [Record("t", 0, offset, None, value) for offset, value in enumerate(values)]


async def test_trying_again_lasts_as_long_as_the_fault() -> None:
    tries = 0
    done: list[Record] = []

    async def agent(records: Sequence[Record]) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise ExceptionGroup("two queries", [TimeoutError(), ConnectionResetError()])

    settler = Settler(agent, dead_letter=refuse, transient=(OSError,), done=done.extend)
    batch = a_batch(b"a", b"b")
    await settler.settle(batch, lambda: True)
    assert (tries, done, settler.trouble) == (4, batch, None)


async def test_a_batch_that_moved_away_is_left_undone() -> None:
    done: list[Record] = []
    tries = 0

    async def agent(records: Sequence[Record]) -> None:
        nonlocal tries
        tries += 1
        raise OSError

    settler = Settler(agent, dead_letter=refuse, transient=(OSError,), done=done.extend)
    with pytest.raises(Abandoned):
        await settler.settle(a_batch(b"a"), lambda: tries < 2)
    assert (tries, done) == (2, [])


async def test_a_dead_letter_that_is_refused_is_offered_again() -> None:
    refusals = 0
    kept: list[str] = []
    done: list[Record] = []

    async def agent(records: Sequence[Record]) -> None:
        raise Unreadable("never")

    async def dead_letter(record: Record, reason: str) -> None:
        nonlocal refusals
        if refusals < 2:
            refusals += 1
            raise RuntimeError("the topic is full")
        assert not done, "not acknowledged before it is kept"
        kept.append(reason)

    settler = Settler(agent, dead_letter=dead_letter, transient=(OSError,), done=done.extend)
    await settler.settle(a_batch(b"a"), lambda: True)
    assert (kept, len(done)) == (["never"], 1)


async def test_cancelling_from_inside_is_a_failure_and_from_outside_an_end() -> None:
    buried: list[str] = []

    async def cancels_itself(records: Sequence[Record]) -> None:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    async def dead_letter(record: Record, reason: str) -> None:
        buried.append(reason)

    settler = Settler(cancels_itself, dead_letter=dead_letter, transient=(OSError,), done=lambda _: None)
    await settler.settle(a_batch(b"a"), lambda: True)
    assert buried == ["RuntimeError: the agent was cancelled from inside"]

    async def waits(records: Sequence[Record]) -> None:
        await asyncio.sleep(60)

    settler = Settler(waits, dead_letter=dead_letter, transient=(OSError,), done=lambda _: None)
    task = asyncio.create_task(settler.settle(a_batch(b"a"), lambda: True))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(buried) == 1


async def refuse(record: Record, reason: str) -> None:
    raise AssertionError(f"nothing here is for the dead letters: {reason}")
