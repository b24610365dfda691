"""Runs agents on Faust: one topic, one agent, in batches that are as large as what has accumulated.

Owns the Faust application (its settings, start and end) and the path from a stream to an agent's batch and back to the
ledger of streams/guard.py. It must never acknowledge a record before its agent has returned, and never start Faust's
web server, tables, producer or logging.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.types import Message
from yarl import URL

from models.records import Agent, Record
from streams.batches import Abandoned, DeadLetter, Settler
from streams.guard import GuardedConsumer, GuardedTransport
from streams.ledger import WINDOW_RECORDS

log = logging.getLogger(__name__)

MAX_BATCH: Final = 256
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
ACCUMULATE_WITHIN: Final = 0.01
POLL_RECORDS: Final = 1000
FETCH_BYTES: Final = 1024 * 1024
"""Per partition and fetch. A larger record still arrives, alone: brokers return at least one (KIP-74)."""
SESSION_TIMEOUT: Final = timedelta(seconds=8)
"""A killed worker's partitions move after this and the others' next heartbeat (a quarter of it): within 10 s."""
FINISH_WITHIN: Final = 5.0
STOP_WITHIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What a worker can say about one topic. Seconds are durations, not instants."""

    topic: str
    in_flight: int
    oldest_unacked_seconds: float | None
    last_batch_records: int
    last_batch_seconds: float | None
    since_last_batch_seconds: float | None
    trouble: str | None


class _Boot(BootStrategy):
    enable_web = False
    enable_kafka_producer = False  # records are published by streams/producer.py, which waits for the broker
    enable_sensors = False


class App(faust.App):
    """A Faust application without tables, producer, web server or files of its own."""

    BootStrategy = _Boot

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.transport = GuardedTransport(self.conf.broker_consumer, self)
        self.consumptions: list[Consumption] = []

    def _create_directories(self) -> None:
        """Faust would make a data directory for tables in the current directory."""

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        """Faust would start the agent anew without what its stream dropped: only a new process fetches that again."""
        await self.crash(exc)

    @property
    def guarded_consumer(self) -> GuardedConsumer:
        consumer = self.consumer
        assert isinstance(consumer, GuardedConsumer)  # noqa: S101 (set by the transport above)
        return consumer


class Consumption:
    """One topic's records on their way from Faust's stream to the agent."""

    def __init__(self, app: App, topic: str, agent: Agent, max_batch: int, rules: dict[str, Any]) -> None:
        self._app = app
        self._topic = topic
        self._max_batch = max_batch
        self._settler = Settler(agent, done=self._done, **rules)
        self._inbox: deque[Message] = deque()  # bounded by the ledger's window: nothing more is fetched beyond it
        self._arrived = asyncio.Event()
        self._stream_is_empty: Callable[[], bool] = lambda: True
        self._finishing = False
        self._last_batch: tuple[int, float, float] | None = None  # records, seconds, ended at

    async def fill(self, stream: Any) -> None:
        """The Faust agent: takes what the stream has, and never waits, since a full stream would stop every topic."""
        self._stream_is_empty = stream.channel.queue.empty
        async for event in stream.noack().events():
            self._inbox.append(event.message)
            self._arrived.set()

    async def run(self) -> None:
        while not self._finishing:
            await self._arrived.wait()
            await self._accumulate()
            generation = self._app.consumer_generation_id
            batch = self._take(generation)
            if not batch:
                self._arrived.clear()
                continue
            started = monotonic()
            with self._app.guarded_consumer.batch_in_hand(self._topic), contextlib.suppress(Abandoned):
                await self._settler.settle(batch, self._still_ours(generation))
            self._last_batch = (len(batch), monotonic() - started, monotonic())

    def finish(self) -> None:
        """Makes run() return after the batch in hand; a batch that is being tried again is given up."""
        self._finishing = True
        self._inbox.clear()
        self._arrived.set()

    def facts(self) -> TopicFacts:
        now, ledger = monotonic(), self._app.guarded_consumer.ledger
        oldest = ledger.oldest_fetched_at(self._topic)
        records, seconds, ended_at = self._last_batch or (0, None, None)
        return TopicFacts(
            topic=self._topic,
            in_flight=ledger.in_flight(self._topic),
            oldest_unacked_seconds=None if oldest is None else now - oldest,
            last_batch_records=records,
            last_batch_seconds=seconds,
            since_last_batch_seconds=None if ended_at is None else now - ended_at,
            trouble=self._settler.trouble,
        )

    async def _accumulate(self) -> None:
        """Waits for what is fetched already and only microseconds away; never for what may come."""
        delivering, until = self._app.guarded_consumer.delivering, monotonic() + ACCUMULATE_WITHIN
        while len(self._inbox) < self._max_batch and monotonic() < until:
            if not delivering[self._topic] and self._stream_is_empty():
                return
            await asyncio.sleep(0)

    def _take(self, generation: int | None) -> list[Record]:
        batch: list[Record] = []
        size = 0
        if self._app.guarded_consumer.handing_over:
            self._inbox.clear()  # rewound, and fetched again by whoever gets the partitions
        while self._inbox and len(batch) < self._max_batch:
            message = self._inbox[0]
            size += len(message.value or b"")
            if batch and size > MAX_BATCH_BYTES:
                break
            self._inbox.popleft()
            if message.generation_id == generation:  # else a rebalance has rewound it: whoever owns it fetches it again
                batch.append(_record(message))
        return batch

    def _still_ours(self, generation: int | None) -> Callable[[], bool]:
        app, consumer = self._app, self._app.guarded_consumer
        return lambda: not (self._finishing or consumer.handing_over) and app.consumer_generation_id == generation

    def _done(self, records: Sequence[Record]) -> None:
        consumer = self._app.guarded_consumer
        for record in records:
            consumer.done(record.topic, record.partition, record.offset)


def _record(message: Message) -> Record:
    headers = dict(message.headers or ())
    return Record(message.topic, message.partition, message.offset, message.key, message.value, headers)


def faust_app(name: str, brokers: str, *, session_timeout: timedelta = SESSION_TIMEOUT, instance: str | None = None) -> App:
    """The application of consumer group `name`; `brokers` is host:port, comma-separated.

    With `instance` (stable per process) a restarted process takes its partitions back at once instead of after the
    session timeout; but one that stops for good keeps them for that long.
    """
    session_seconds = session_timeout.total_seconds()
    return App(
        name,
        broker=[URL(f"kafka://{broker.strip()}") for broker in brokers.split(",")],
        consumer_group_instance_id=instance,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 4,
        broker_rebalance_timeout=30.0,
        broker_request_timeout=40.0,
        broker_commit_interval=0.5,
        broker_max_poll_records=POLL_RECORDS,
        broker_max_poll_interval=120.0,  # a hung process still heartbeats from its thread: after this it loses them
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=2 * (WINDOW_RECORDS + POLL_RECORDS),  # never full: the ledger's window is smaller
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        table_standby_replicas=0,  # no tables: plain round-robin assignment instead of Faust's own
        topic_disable_leader=True,
        topic_allow_declare=False,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )


def attach(
    app: App,
    topic: str,
    agent: Agent,
    *,
    dead_letter: DeadLetter,
    transient: tuple[type[Exception], ...],
    max_batch: int = MAX_BATCH,
) -> Consumption:
    """Runs `agent` on `topic` once the application runs.

    A batch is tried again while the agent raises one of `transient`; on anything else it is split, and a single record
    that still fails goes to `dead_letter` with the reason.
    """
    consumption = Consumption(app, topic, agent, max_batch, {"dead_letter": dead_letter, "transient": transient})
    channel = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")
    app.agent(channel, name=f"consume-{topic}")(consumption.fill)
    app.consumptions.append(consumption)
    return consumption


async def run_app(app: App, stop: asyncio.Event) -> None:
    """Runs until `stop` is set, then finishes the batches in hand, commits and leaves the group.

    Raises what ended it otherwise: the process should exit, a new one redelivers whatever was not done.
    """
    loops = [asyncio.create_task(consumption.run(), name="consume") for consumption in app.consumptions]
    faust_task = asyncio.create_task(_run_faust(app), name="faust")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait([*loops, faust_task, stopped], return_when=asyncio.FIRST_COMPLETED)
        for consumption in app.consumptions:
            consumption.finish()
        if loops:
            await asyncio.wait(loops, timeout=FINISH_WITHIN)
    finally:
        for task in (*loops, stopped):
            task.cancel()
        await _stop_faust(app)
        faust_task.cancel()
        results = await asyncio.gather(*loops, stopped, faust_task, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _run_faust(app: App) -> None:
    start = asyncio.create_task(app.start(), name="faust-start")
    try:
        await app.wait_until_stopped()
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start


async def _stop_faust(app: App) -> None:
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await app.stop()
    except TimeoutError:
        log.warning("leaving the consumer group took too long; its partitions move after the session timeout")
    except KafkaError as error:
        log.warning("could not leave the consumer group: %s", error)
