"""The at-least-once guard: a Faust transport that never commits past a record that is not yet handled.

Owns the ledger of what was fetched and not yet handled, and through it every offset this application commits. It must
never commit an offset above the lowest unhandled record of a partition, nor let Faust's own acknowledgements decide.

Why Faust needs it (faust-streaming 0.15.3): `Consumer._new_offset` commits past records in flight (upstream issue 606),
a raising agent acknowledges what it failed on, and records dropped between fetch and stream during a rebalance look like
gaps of compaction. So here a record enters the ledger in the consumer's thread, in the same step in which the fetch
position moves past it, and leaves it only by `GuardedConsumer.done`, or by a rewind, which moves the position back in
the same step. Real gaps (compaction, transactions, retention) were never fetched, so they hold nothing up.

Extension points used: `App.transport` (settable), `Transport.Consumer`, and overridable methods of the two subclasses.
Internals relied on, each checked by tests/streams/test_faust_internals.py because an upgrade may move them:
  Consumer: _new_consumer_thread, _drain_messages, _getmany, _wait_next_records, _to_message, _new_offset,
    _filter_tps_with_pending_acks, _commit_offsets, _committed_offset, ack, verify_event_path, on_partitions_revoked,
    commit, perform_seek, callback, scheduler, flow_active, suspend_flow, consumer_stopped_errors
  AIOKafkaConsumerThread: on_start, _fetch_records, seek_to_committed, call_thread, _ensure_consumer, on_crash,
    _start_thread
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

log = logging.getLogger(__name__)

WINDOW_RECORDS: Final = 4096
"""Records of one topic fetched and not yet handled beyond which it is not fetched: a slow topic stops no other."""
WINDOW_BYTES: Final = 64 * 1024 * 1024
POLL_WITHIN: Final = 0.05
"""Seconds of one fetch while some topic is at its bound, so that it is asked for again soon after it has room."""
NOTHING: Final = frozenset({TP("", -1)})
"""Matches no partition. (aiokafka takes an empty set to mean all of them.)"""
COMMIT_ON_REVOKE_WITHIN: Final = 2.0
LONGEST_PAUSE: Final = 2.0


@dataclass(slots=True)
class _Partition:
    unhandled: dict[int, tuple[float, int]] = field(default_factory=dict)  # offset -> (fetched at, monotonic; bytes)
    after_last: int | None = None  # the offset after the last one fetched


@dataclass(slots=True)
class _Load:
    records: int = 0
    size: int = 0


class Ledger:
    """What was fetched and not yet handled, per partition. Filled in the consumer's thread, read in the loop's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: dict[TP, _Partition] = {}
        self._loads: dict[str, _Load] = defaultdict(_Load)

    def fetched(self, records: Mapping[TP, Sequence[ConsumerRecord[bytes | None, bytes | None]]]) -> None:
        now = monotonic()
        with self._lock:
            for tp, batch in records.items():
                partition = self._partitions.setdefault(TP(*tp), _Partition())
                load = self._loads[tp.topic]
                for record in batch:
                    size = len(record.key or b"") + len(record.value or b"")
                    if record.offset not in partition.unhandled:
                        load.records += 1
                        load.size += size
                        partition.unhandled[record.offset] = (now, size)
                if batch:
                    partition.after_last = batch[-1].offset + 1

    def done(self, tp: TP, offset: int) -> None:
        """The record needs nothing more. One that was rewound meanwhile, and not fetched again yet, stays unknown."""
        with self._lock:
            partition = self._partitions.get(tp)
            entry = partition.unhandled.pop(offset, None) if partition else None
            if entry is not None:
                load = self._loads[tp.topic]
                load.records -= 1
                load.size -= entry[1]

    def forget(self, tps: Iterable[TP]) -> None:
        """The partitions are no longer ours, or are about to be fetched again from their committed offset."""
        with self._lock:
            for tp in tps:
                partition = self._partitions.pop(TP(*tp), None)
                if partition is not None:
                    load = self._loads[tp.topic]
                    load.records -= len(partition.unhandled)
                    load.size -= sum(size for _, size in partition.unhandled.values())

    def committable(self, tp: TP) -> int | None:
        """The lowest unhandled offset, or the one after the last fetched; None when nothing was fetched."""
        with self._lock:
            partition = self._partitions.get(tp)
            if partition is None:
                return None
            # min(), not the first: after a log was cut short, fetched offsets do not only grow.
            return min(partition.unhandled) if partition.unhandled else partition.after_last

    def partitions(self) -> list[TP]:
        with self._lock:
            return list(self._partitions)

    def has_room(self, topic: str) -> bool:
        load = self._loads.get(topic)
        return load is None or (load.records < WINDOW_RECORDS and load.size < WINDOW_BYTES)

    def in_flight(self, topic: str) -> int:
        load = self._loads.get(topic)
        return load.records if load else 0

    def oldest_fetched_at(self, topic: str) -> float | None:
        """Monotonic instant at which the oldest unhandled record of the topic was fetched."""
        with self._lock:
            firsts = (
                next(iter(partition.unhandled.values()))[0]
                for tp, partition in self._partitions.items()
                if tp.topic == topic and partition.unhandled
            )
            return min(firsts, default=None)


class GuardedConsumerThread(driver.AIOKafkaConsumerThread):
    """Moves the fetch position and the ledger in one step: between the two there is no await."""

    consumer: GuardedConsumer

    async def on_start(self) -> None:
        """Keeps trying while no broker answers; any other refusal ends the application."""
        pause, level = 0.1, logging.WARNING
        while not self.should_stop:
            try:
                await super().on_start()
            except KafkaConnectionError as error:
                log.log(level, "no broker answers, trying again until one does: %s", error)
                await self._ensure_consumer().stop()
                await self.sleep(pause)
                pause, level = min(2 * pause, LONGEST_PAUSE), logging.DEBUG
            else:
                return

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        self.consumer.ledger.fetched(records)
        return records

    async def seek_to_committed(self) -> Mapping[TP, int]:
        committed: Mapping[TP, int] = await self.call_thread(self._rewind)
        return committed

    async def _rewind(self) -> dict[TP, int | None]:
        """Unlike Faust's, this also moves back where nothing was ever committed: to the beginning."""
        consumer = self._ensure_consumer()
        committed = {tp: await consumer.committed(tp) for tp in consumer.assignment()}
        fresh = [tp for tp, offset in committed.items() if offset is None]
        beginnings = await consumer.beginning_offsets(fresh) if fresh else {}
        for tp, offset in committed.items():
            consumer.seek(tp, beginnings[tp] if offset is None else offset)
            self.consumer.ledger.forget([tp])
        return {TP(*tp): offset for tp, offset in committed.items()}

    # Faust prints tracebacks in these two; the reason reaches people as the exception of run_app instead.

    def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
        log.debug(msg.format(*fmt), exc_info=True)

    def _start_thread(self) -> None:
        with contextlib.suppress(KafkaError, OSError):
            super()._start_thread()


class GuardedConsumer(driver.Consumer):
    """Delivers to Faust's streams what was fetched; commits what was `done`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ledger = Ledger()
        self.delivering: Counter[str] = Counter()
        """Per topic, how many records are about to be put into its stream."""
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> GuardedConsumerThread:
        return GuardedConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def done(self, topic: str, partition: int, offset: int) -> None:
        """The only way by which a record becomes committable."""
        self.ledger.done(TP(topic, partition), offset)

    def ack(self, message: Message) -> bool:
        """Faust acknowledges what an agent raised on, and what a stream skipped in a rebalance: neither counts here."""
        return False

    # Committing

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self.ledger.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledger.committable(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed = await super()._commit_offsets(offsets, start_new_transaction)
        if not committed:
            self._committed_offset.update(before)  # Faust would take a refused commit for done and not try again.
        return committed

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        try:
            await asyncio.wait_for(self.commit(), COMMIT_ON_REVOKE_WITHIN)  # spares the next owner what is done
        except TimeoutError:
            log.info("partitions taken away before the last commit was answered: some records will be repeated")
        self.ledger.forget(revoked)
        await super().on_partitions_revoked(revoked)

    # Fetching

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        wanted = {tp for tp in active_partitions or () if self.ledger.has_room(tp.topic)}
        if active_partitions and len(wanted) < len(active_partitions):
            timeout = POLL_WITHIN
        # Asking for nothing still shows the group that this worker is alive.
        return await super()._getmany(wanted or set(NOTHING), timeout)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                records, _ = await self._wait_next_records(timeout=1.0)
                if not records:
                    await asyncio.sleep(0)
                elif self.flow_active:
                    # A rebalance cuts the delivery short; it rewinds, and the rest is fetched again.
                    await self.wait_first(self._deliver(records), self.suspend_flow.wait())
                else:
                    await self._rewind_unless_reassigned()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _deliver(self, records: Any) -> None:
        for tp, batch in records.items():
            self.delivering[tp.topic] += len(batch)
        try:
            for number, (tp, record) in enumerate(self.scheduler.iterate(records), start=1):
                await self.callback(self._to_message(tp, record))
                self.delivering[tp.topic] -= 1
                if number % 100 == 0:
                    await asyncio.sleep(0)
        finally:
            self.delivering.clear()

    async def _rewind_unless_reassigned(self) -> None:
        try:
            await self.perform_seek()
        except IllegalStateError:
            log.debug("the rebalance under way rewinds by itself")

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's search for stuck streams reads its own sensors; ours is the age of the oldest record in flight."""


class GuardedTransport(driver.Transport):
    Consumer = GuardedConsumer
