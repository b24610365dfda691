"""Runs agents on Faust: one topic, one agent, in batches that are as large as what has accumulated.

Owns the path from a stream to an agent's batch and back to the ledger. It must never report a record as done before its
agent has returned, and never hold up a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from faust.types import Message

from models.records import Agent, Record
from streams.batches import Abandoned, DeadLetter, Settler
from streams.group import App

MAX_BATCH: Final = 256
MAX_BATCH_BYTES: Final = 2 * 1024 * 1024
"""A batch costs many times its size: decoded, folded, encoded for three tables, and once more in the buffers of every
connection to the database that carried one, which libpq never gives back.
"""
ACCUMULATE_WITHIN: Final = 0.01


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

    @property
    def in_flight(self) -> int:
        """Records fetched and not yet handled."""
        return self._app.guarded_consumer.ledger.in_flight(self._topic)

    def facts(self) -> TopicFacts:
        now, ledger = monotonic(), self._app.guarded_consumer.ledger
        oldest = ledger.oldest_fetched_at(self._topic)
        records, seconds, ended_at = self._last_batch or (0, None, None)
        return TopicFacts(
            topic=self._topic,
            in_flight=self.in_flight,
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
    headers = {name: value or b"" for name, value in dict(message.headers or ()).items()}  # Kafka knows null ones
    return Record(message.topic, message.partition, message.offset, message.key, message.value, headers)


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
    app.loops.append(consumption)
    return consumption
