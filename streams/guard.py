"""The at-least-once guard: a Faust transport that never commits past a record that is not yet handled.

Owns the fetching and, by the ledger of streams/ledger.py, every offset this application commits. It must never commit
an offset above the lowest unhandled record of a partition, nor let Faust's own acknowledgements decide.

Why Faust needs it (faust-streaming 0.15.3): `Consumer._new_offset` commits past records in flight (upstream issue 606);
a raising agent acknowledges what it failed on; records dropped between fetch and stream during a rebalance look like
gaps of compaction. So here a record enters the ledger in the consumer's thread, in the same step in which the fetch
position moves past it, and leaves it only by `GuardedConsumer.done`, or by a rewind, which moves the position back in
the same step. Real gaps (compaction, transactions, retention) were never fetched, so they hold nothing up.

It also delivers a whole fetch at once, where Faust starts four tasks per record: that was most of what Faust costs.

Extension points used: `App.transport` (settable), `Transport.Consumer`, methods overridden in the two subclasses.
Internals relied on, each checked by tests/streams/test_faust_internals.py because an upgrade may move them:
  Consumer: _new_consumer_thread, _drain_messages, _getmany, _wait_next_records, _to_message, _new_offset,
    _filter_tps_with_pending_acks, _commit_offsets, _committed_offset, ack, verify_event_path, on_partitions_revoked,
    on_partitions_assigned, commit, perform_seek, callback, scheduler, flow_active, suspend_flow,
    consumer_stopped_errors
  AIOKafkaConsumerThread: on_start, _fetch_records, seek_to_committed, call_thread, _ensure_consumer, on_crash,
    _start_thread, thread_loop, Worker
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import uvloop
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.threads import WorkerThread

from streams.ledger import Ledger

log = logging.getLogger(__name__)

POLL_WITHIN: Final = 0.05
"""Seconds of one fetch while some topic is at its bound, so that it is asked for again soon after it has room."""
NOTHING: Final = frozenset({TP("", -1)})
"""Matches no partition. (aiokafka takes an empty set to mean all of them.)"""
HAND_OVER_WITHIN: Final = 2.0
"""Seconds by which a rebalance is held up for batches in hand to end and be committed, instead of being repeated."""
LONGEST_PAUSE: Final = 2.0


class _Abandonable(WorkerThread):
    """While no broker answers, leaving the group outlasts a stop's 15 seconds. The end of the process does not wait."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.daemon = True


class GuardedConsumerThread(driver.AIOKafkaConsumerThread):
    """Moves the fetch position and the ledger in one step: between the two there is no await."""

    Worker = _Abandonable
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
        log.debug("%s", msg.format(*fmt))

    def _start_thread(self) -> None:
        # Stopping while no broker answers, aiokafka's fetcher lets its own cancellation through.
        with contextlib.closing(self.thread_loop), contextlib.suppress(KafkaError, OSError, asyncio.CancelledError):
            super()._start_thread()


class GuardedConsumer(driver.Consumer):
    """Delivers to Faust's streams what was fetched; commits what was `done`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ledger = Ledger()
        self.delivering: Counter[str] = Counter()
        """Per topic, how many records are about to be put into its stream."""
        self.handing_over = False
        """Partitions are being taken away: no new batch may be begun until others are assigned."""
        self._in_hand: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> GuardedConsumerThread:
        """Its loop is ours to choose: on asyncio's own, the thread took an eighth more of the processor."""
        return GuardedConsumerThread(self, loop=self.loop, thread_loop=uvloop.new_event_loop(), beacon=self.beacon)

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

    async def _commit_offsets(
        self,
        offsets: Mapping[TP, int],
        start_new_transaction: bool = True,  # noqa: FBT001, FBT002 (Faust's signature)
    ) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed = await super()._commit_offsets(offsets, start_new_transaction)
        if not committed:
            self._committed_offset.update(before)  # Faust would take a refused commit for done and not try again.
        return committed

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.handing_over = True
        try:
            async with asyncio.timeout(HAND_OVER_WITHIN):
                await self._idle.wait()
                await self.commit()
        except TimeoutError:
            log.info("partitions are taken away from batches in hand: their records will be repeated")
        self.ledger.forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self.handing_over = False  # first: what is fetched from here on counts
        await super().on_partitions_assigned(assigned, generation_id)

    @contextlib.contextmanager
    def batch_in_hand(self, topic: str) -> Iterator[None]:
        self._in_hand.add(topic)
        self._idle.clear()
        try:
            yield
        finally:
            self._in_hand.discard(topic)
            if not self._in_hand:
                self._idle.set()

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
