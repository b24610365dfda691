"""One worker process: the agents on their topics, the deadlines' loop, a courier per provider and the relay of the
feed.

Any number of them share the work: partitions are shared by Kafka, due deadlines and deliveries by row locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from agents import dead_letters, handoffs
from agents.correlation import CorrelationPorts
from agents.delivery import Courier
from agents.lifecycle import LifecyclePorts
from agents.maintenance import MaintenancePorts
from agents.outcomes import Outcomes
from agents.review import ReviewPorts
from agents.triage import Lookup, TriagePorts, nobody_to_ask
from agents.waking import Waker
from models.deliveries import Provider
from models.records import Record, Unreadable
from models.store.retention import Keep
from models.store.store import Store
from notifiers.port import Notifier
from streams import topics
from streams.app import Ports, wake_topic, wiring
from streams.batches import DeadLetter
from streams.calendars import calendars_at
from streams.clock import utc_now
from streams.consume import Consumption, attach
from streams.duties import Duties, Worker
from streams.group import FINISH_WITHIN, faust_app, run_app
from streams.loops import TRANSIENT, nap, repeat
from streams.policies import Policies
from streams.pressure import Pressure
from streams.process.places import brokers as brokers_of
from streams.process.places import database_url
from streams.processes import Supervised
from streams.producer import Producer
from streams.prometheus import Prometheus
from streams.providers import at_once, reach
from streams.recording import unheard, unpaged
from streams.settings import Settings, policy_in_force
from streams.trust import trusted

log = logging.getLogger(__name__)

GROUP: Final = "tocsin"
MESSAGES_EVERY: Final = timedelta(milliseconds=100)
"""Between two rounds of a courier of messages. Pages have no such pause."""
HANDOFFS_EVERY: Final = 15.0
"""Seconds between looks for handoffs: how late a note may be."""
BACKLOG: Final = 32
"""Webhooks, or signals, waiting from which on what can wait does: whoever has to be woken goes first."""
BATCHES: Final = {topics.WEBHOOKS: 64, topics.SIGNALS: 128}
"""How many records one batch may hold at most; a batch is one transaction."""


async def main(settings: Settings, self: Supervised, _: int) -> None:
    """Works until `stop` is set, then finishes what is in hand. Raises what ended it otherwise."""
    brokers = brokers_of(settings)
    async with _opened(settings, brokers) as worker:
        app, bury = faust_app(GROUP, brokers), _burial(worker)
        policies = Policies(worker.policy, worker.store.policy_text, partial(calendars_at, settings, clock=utc_now))
        await policies.open_calendars()
        for topic, agent in wiring(_ports(worker, policies)):
            consumption = attach(
                app, topic, agent, dead_letter=bury, transient=TRANSIENT, max_batch=BATCHES.get(topic, 256)
            )
            if topic in BATCHES:
                worker.pressure.urgent.append(partial(_has_backlog, consumption))
        self.ready("")
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(loop) for loop in Duties(worker, self.stop).loops()]
            follow = partial(policies.follow_calendars, self.stop)
            loops.append(tasks.create_task(repeat("calendars", follow, self.stop)))
            notes = handoffs.HandoffPorts(worker.store.handoffs, policies, worker.waker.wake)
            loops.append(tasks.create_task(repeat("handoffs", partial(_tell_handoffs, notes, self.stop), self.stop)))
            tasks.create_task(_ended(loops, self.stop))
            await run_app(app, self.stop)
            self.stop.set()
        for courier in worker.couriers.values():
            await courier.drain()


async def _ended(loops: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Cuts off what waits in vain, for a broker that is away: it is done again, leased or not, by the next worker."""
    await stop.wait()
    await asyncio.wait(loops, timeout=FINISH_WITHIN)
    for loop in loops:
        loop.cancel()


async def _tell_handoffs(ports: handoffs.HandoffPorts, stop: asyncio.Event) -> None:
    await handoffs.tell(ports)
    await nap(stop, HANDOFFS_EVERY)


@contextlib.asynccontextmanager
async def _opened(settings: Settings, brokers: str) -> AsyncIterator[Worker]:
    policy = policy_in_force(settings)
    async with contextlib.AsyncExitStack() as stack:
        store = await Store.open(database_url(settings))
        stack.push_async_callback(store.close)  # first: an open pool keeps this process from ending
        reached = reach(settings, policy.policy, os.environ, store.publish)
        for notifier in reached.notifiers.values():
            stack.push_async_callback(notifier.close)
        for provider, why in unheard(reached.recording, policy.policy).items():
            log.warning("%s is recorded, not sent: %s", provider, why)
        for line in unpaged(policy.policy, os.environ):
            log.warning("%s", line)
        lookup: Lookup = nobody_to_ask
        if settings.prometheus_url:
            lookup = prometheus = Prometheus(settings.prometheus_url, trusted(settings.ca_file))
            stack.push_async_callback(prometheus.close)
        producer = await stack.enter_async_context(Producer(brokers))
        alarm = await stack.enter_async_context(store.ledger.alarm())
        await store.save_policy(policy.version, policy.policy.name, policy.text)
        pressure = Pressure()
        outcomes = Outcomes(store.outbox)
        couriers = {
            provider: _courier(notifier, store, outcomes, pressure) for provider, notifier in reached.notifiers.items()
        }
        keep = Keep(settings.keep_inbox, settings.keep_ended, settings.keep_incidents)
        waker = Waker({provider: courier.woken for provider, courier in couriers.items()}, producer.publish, wake_topic)
        yield Worker(store, producer, policy, couriers, outcomes, waker, alarm, lookup, keep, pressure)


def _courier(notifier: Notifier, store: Store, outcomes: Outcomes, pressure: Pressure) -> Courier:
    courier = Courier(notifier, store.outbox, outcomes, utc_now, most=at_once(notifier))
    if notifier.provider in {Provider.PAGERDUTY, Provider.WEBHOOK}:
        pressure.urgent.append(lambda: courier.is_busy)
    else:
        courier.round_every, courier.spared = MESSAGES_EVERY, pressure.is_high
    return courier


def _has_backlog(consumption: Consumption) -> bool:
    return consumption.in_flight > BACKLOG


def _ports(worker: Worker, policies: Policies) -> Ports:
    store, publish, policy = worker.store, worker.producer.publish, worker.policy
    return Ports(
        triage=TriagePorts(
            policy.policy, policy.version, publish, store, topics.SIGNALS, store.heartbeats, worker.lookup
        ),
        lifecycle=LifecyclePorts(store, policies, worker.waker.wake),
        review=ReviewPorts(store, policies, worker.waker.wake, store.log.endings),
        correlation=CorrelationPorts(publish, topics.SIGNALS),
        maintenance=MaintenancePorts(store, policies, worker.waker.wake, publish, topics.SIGNALS),
        couriers=worker.couriers,
    )


def _burial(worker: Worker) -> DeadLetter:
    burial = dead_letters.Burial(topics.DEAD_LETTERS, topics.SIGNALS, worker.policy.policy, worker.policy.version)

    async def bury(record: Record, reason: str) -> None:
        try:
            await worker.producer.publish(dead_letters.bury(record, reason, utc_now(), burial))
        except Unreadable:
            beginning = dead_letters.beginning(record)
            await worker.producer.publish(dead_letters.bury(beginning, reason, utc_now(), burial))

    return bury
