"""What a worker does beside its consumers: one loop for each duty. Owns how often; what is done is the agents' to say.

A consumer waits for records; these wait for the clock, for a knock, or for what a crash left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agents import deadlines, delivery, heartbeats, maintenance, relay
from agents.delivery import Courier
from agents.heartbeats import HeartbeatPorts
from agents.outcomes import Outcomes
from agents.triage import Lookup
from agents.waking import Waker
from models.deliveries import Provider
from models.store.deadlines import Alarm
from models.store.retention import Keep
from models.store.store import Store
from streams import topics
from streams.clock import utc_now
from streams.loops import nap, repeat
from streams.pressure import Pressure
from streams.producer import Producer
from streams.settings import PolicyInForce

RELAY_EVERY: Final = 0.25
"""Seconds between looks at the log: how late the feed may be. Few, large passes leave the machine to pages."""
REPORT_EVERY: Final = 1.0
"""Seconds between looks for pages whose fate a crash left untold, and for late ones."""
SWEEP_EVERY: Final = 3600.0
"""Seconds between looks for rows that are old enough to go."""
SWEEP_AGAIN: Final = 1.0
"""Seconds between two bites, while there are more."""
LOOK_FOR_BEATS_EVERY: Final = 10.0
"""Seconds between looks for senders that have fallen silent."""
PLAN_EVERY: Final = 3600.0
"""Seconds between looks at the maintenance that recurs by the policy; it is planned two weeks ahead."""
TELL_EVERY: Final = 0.25
"""Seconds between two records that wake other workers; they look by themselves once a second."""
WRITE_TOGETHER: Final = 0.05
"""Seconds for which outcomes gather: what a crash leaves unwritten of them is read back."""
REPORT_TOGETHER: Final = 0.2
"""Seconds for which receipts gather: they say when a page arrived, so nothing is late because they are."""
SPARED_FOR: Final = 1.0
"""Seconds between two passes of what can wait, while somebody waits to be woken."""
GOOD_NEWS_WAITS: Final = timedelta(seconds=5)
"""How long after its arrival a page is reported as delivered, while somebody else waits to be woken."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The open parts of a worker."""

    store: Store
    producer: Producer
    policy: PolicyInForce
    couriers: dict[Provider, Courier]
    outcomes: Outcomes
    waker: Waker
    alarm: Alarm
    lookup: Lookup
    keep: Keep
    pressure: Pressure


@dataclass(frozen=True, slots=True)
class Duties:
    """The loops; each ends soon after `stop` is set."""

    worker: Worker
    stop: asyncio.Event

    def loops(self) -> Iterator[Coroutine[None, None, None]]:
        """All of them, to be run side by side."""
        stop = self.stop
        yield repeat("deadlines", self._emit_deadlines, stop)
        yield repeat("relay", self._relay_events, stop)
        yield repeat("reports", self._report_pages, stop)
        yield repeat("outcomes", self._write_outcomes, stop)
        yield repeat("wake-ups", self._tell_others, stop)
        yield repeat("retention", self._forget, stop)
        yield repeat("maintenance", self._plan_maintenance, stop)
        yield repeat("pressure", self.worker.pressure.look, stop)
        yield repeat("heartbeats of senders", self._look_for_beats, stop)
        for provider, courier in self.worker.couriers.items():
            yield repeat(f"delivery to {provider}", courier.work, stop)

    async def _emit_deadlines(self) -> None:
        ledger = self.worker.store.ledger
        if not await deadlines.emit_due(ledger, self.worker.producer.publish):
            await self.worker.alarm.wait(await deadlines.nap(ledger))

    async def _relay_events(self) -> None:
        more = await relay.relay(self.worker.store.log, self.worker.producer.publish, topics.EVENTS) >= relay.BATCH
        if self.worker.pressure.is_high():
            await nap(self.stop, SPARED_FOR)
        elif not more:
            await nap(self.stop, RELAY_EVERY)

    async def _report_pages(self) -> None:
        told = self.worker.outcomes.told
        told.clear()
        outbox, publish = self.worker.store.outbox, self.worker.producer.publish
        patience = GOOD_NEWS_WAITS if self.worker.pressure.is_high() else timedelta(0)
        found = await delivery.report(outbox, publish, topics.SIGNALS, patience)
        if not found:
            await nap(told, REPORT_EVERY)
        if found < delivery.REPORTS:
            await nap(self.stop, REPORT_TOGETHER)

    async def _write_outcomes(self) -> None:
        outcomes = self.worker.outcomes
        await nap(outcomes.came, REPORT_EVERY)
        if outcomes.came.is_set():
            await nap(self.stop, WRITE_TOGETHER)
            await outcomes.write()

    async def _tell_others(self) -> None:
        await nap(self.worker.waker.called, REPORT_EVERY)
        await self.worker.waker.tell_others()
        await nap(self.stop, TELL_EVERY)

    async def _look_for_beats(self) -> None:
        worker = self.worker
        policy, publish = worker.policy, worker.producer.publish
        await heartbeats.look(
            HeartbeatPorts(worker.store.heartbeats, publish, policy.policy, policy.version, topics.SIGNALS)
        )
        await nap(self.stop, LOOK_FOR_BEATS_EVERY)

    async def _forget(self) -> None:
        more = await self.worker.store.retention.sweep(self.worker.keep, self.worker.policy.version)
        await nap(self.stop, SWEEP_AGAIN if more else SWEEP_EVERY)

    async def _plan_maintenance(self) -> None:
        windows, policy = self.worker.store.windows, self.worker.policy
        await maintenance.plan(windows.lately, policy.policy, policy.version, utc_now(), self.worker.producer.publish)
        await nap(self.stop, PLAN_EVERY)
