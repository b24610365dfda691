"""One worker process: the agents on their topics, the deadlines' loop, a courier per provider and the relay of the
feed.

Any number of them share the work: partitions are shared by Kafka, due deadlines and deliveries by row locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from agents import dead_letters, deadlines, delivery, relay
from agents.delivery import Courier
from agents.lifecycle import LifecyclePorts
from agents.review import ReviewPorts
from agents.triage import TriagePorts
from agents.waking import Waker
from models.deliveries import Provider
from models.records import Record, Unreadable
from models.store.deadlines import Alarm
from models.store.store import Store
from notifiers.port import Notifier
from streams import topics
from streams.app import Ports, wake_topic, wiring
from streams.batches import DeadLetter
from streams.clock import utc_now
from streams.consume import Consumption, attach
from streams.group import faust_app, run_app
from streams.loops import TRANSIENT, nap, repeat
from streams.policies import Policies
from streams.pressure import Pressure
from streams.process.places import brokers as brokers_of
from streams.process.places import database_url
from streams.processes import Supervised
from streams.producer import Producer
from streams.providers import at_once, reach
from streams.settings import PolicyInForce, Settings, policy_in_force

log = logging.getLogger(__name__)

GROUP: Final = "tocsin"
RELAY_EVERY: Final = 0.25
"""Seconds between looks at the log: how late the feed may be. Few, large passes leave the machine to pages."""
REPORT_EVERY: Final = 1.0
"""Seconds between looks for pages whose fate a crash left untold, and for late ones."""
TELL_EVERY: Final = 0.1
"""Seconds between two records that wake other workers."""
REPORT_TOGETHER: Final = 0.2
"""Seconds for which receipts gather: they say when a page arrived, so nothing is late because they are."""
MESSAGES_EVERY: Final = timedelta(milliseconds=100)
"""Between two rounds of a courier of messages. Pages have no such pause."""
BACKLOG: Final = 32
"""Webhooks, or signals, waiting from which on what can wait does: whoever has to be woken goes first."""
SPARED_FOR: Final = 1.0
"""Seconds between two passes of it then."""
BATCHES: Final = {topics.WEBHOOKS: 64, topics.SIGNALS: 128}
"""How many records one batch may hold at most; a batch is one transaction."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The open parts of a worker."""

    store: Store
    producer: Producer
    policy: PolicyInForce
    couriers: dict[Provider, Courier]
    waker: Waker
    alarm: Alarm
    pressure: Pressure


async def main(settings: Settings, self: Supervised, _: int) -> None:
    """Works until `stop` is set, then finishes what is in hand. Raises what ended it otherwise."""
    brokers = brokers_of(settings)
    async with _opened(settings, brokers) as worker:
        app, bury = faust_app(GROUP, brokers), _burial(worker)
        for topic, agent in wiring(_ports(worker)):
            consumption = attach(
                app, topic, agent, dead_letter=bury, transient=TRANSIENT, max_batch=BATCHES.get(topic, 256)
            )
            if topic in BATCHES:
                worker.pressure.urgent.append(partial(_has_backlog, consumption))
        self.ready("")
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(loop) for loop in _loops(worker, self.stop)]
            await run_app(app, self.stop)
            self.stop.set()
            await asyncio.gather(*loops)
        for courier in worker.couriers.values():
            await courier.drain()


@contextlib.asynccontextmanager
async def _opened(settings: Settings, brokers: str) -> AsyncIterator[Worker]:
    policy = policy_in_force(settings)
    async with contextlib.AsyncExitStack() as stack:
        store = await Store.open(database_url(settings))
        stack.push_async_callback(store.close)  # first: an open pool keeps this process from ending
        reached = reach(settings, policy.policy, os.environ, store.publish)
        for notifier in reached.notifiers.values():
            stack.push_async_callback(notifier.close)
        for provider, why in reached.recording.items():
            log.warning("%s is recorded, not sent: %s", provider, why)
        producer = await stack.enter_async_context(Producer(brokers))
        alarm = await stack.enter_async_context(store.ledger.alarm())
        await store.save_policy(policy.version, policy.policy.name, policy.text)
        pressure = Pressure()
        couriers = {
            provider: _courier(provider, notifier, store, pressure) for provider, notifier in reached.notifiers.items()
        }
        waker = Waker({provider: courier.woken for provider, courier in couriers.items()}, producer.publish, wake_topic)
        yield Worker(store, producer, policy, couriers, waker, alarm, pressure)


def _courier(provider: Provider, notifier: Notifier, store: Store, pressure: Pressure) -> Courier:
    courier = Courier(notifier, store.outbox, utc_now, most=at_once(notifier))
    if provider is Provider.PAGERDUTY:
        pressure.urgent.append(lambda: courier.is_busy)
    else:
        courier.round_every, courier.spared = MESSAGES_EVERY, pressure.is_high
    return courier


def _has_backlog(consumption: Consumption) -> bool:
    return consumption.in_flight > BACKLOG


def _ports(worker: Worker) -> Ports:
    store, publish, policy = worker.store, worker.producer.publish, worker.policy
    policies = Policies(policy, store.policy_text)
    return Ports(
        triage=TriagePorts(policy.policy, policy.version, publish, store.keys_of_group, topics.SIGNALS),
        lifecycle=LifecyclePorts(store, policies, worker.waker.wake),
        review=ReviewPorts(store, policies, worker.waker.wake),
        couriers=worker.couriers,
    )


def _loops(worker: Worker, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
    store, publish = worker.store, worker.producer.publish

    async def emit_deadlines() -> None:
        if not await deadlines.emit_due(store.ledger, publish):
            await worker.alarm.wait(await deadlines.nap(store.ledger))

    async def relay_events() -> None:
        more = await relay.relay(store.log, publish, topics.EVENTS) >= relay.BATCH
        if worker.pressure.is_high():
            await nap(stop, SPARED_FOR)
        elif not more:
            await nap(stop, RELAY_EVERY)

    told = worker.couriers[Provider.PAGERDUTY].told

    async def report_pages() -> None:
        told.clear()
        if not await delivery.report(store.outbox, publish, topics.SIGNALS):
            await nap(told, REPORT_EVERY)
        await nap(stop, SPARED_FOR if worker.pressure.is_high() else REPORT_TOGETHER)

    async def tell_others() -> None:
        await nap(worker.waker.called, REPORT_EVERY)
        await worker.waker.tell_others()
        await nap(stop, TELL_EVERY)

    yield repeat("deadlines", emit_deadlines, stop)
    yield repeat("relay", relay_events, stop)
    yield repeat("reports", report_pages, stop)
    yield repeat("pressure", worker.pressure.look, stop)
    yield repeat("wake-ups", tell_others, stop)
    for provider, courier in worker.couriers.items():
        yield repeat(f"delivery to {provider}", courier.work, stop)


def _burial(worker: Worker) -> DeadLetter:
    burial = dead_letters.Burial(topics.DEAD_LETTERS, topics.SIGNALS, worker.policy.policy, worker.policy.version)

    async def bury(record: Record, reason: str) -> None:
        try:
            await worker.producer.publish(dead_letters.bury(record, reason, utc_now(), burial))
        except Unreadable:
            beginning = dead_letters.beginning(record)
            await worker.producer.publish(dead_letters.bury(beginning, reason, utc_now(), burial))

    return bury
