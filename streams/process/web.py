"""The web process: receiver, API, status page and heartbeat, put together from store, producer and settings.

Starts and stays up without broker or database: a webhook needs the broker alone, the status page shows what it last
knew, and everything else says 503 until they answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from models.policy import Policy
from models.store.connection import Database
from models.store.errors import StoreError
from models.store.store import Store
from notifiers.slack_replies import SlackReplies
from streams.calendars import Fetched, RecentCalendars, calendars_at
from streams.clock import utc_now
from streams.heartbeat import beat, keep_beating, watchdog
from streams.loops import nap, repeat
from streams.policies import Policies
from streams.process.places import brokers, database_url
from streams.processes import Supervised
from streams.producer import Producer
from streams.recording import unheard, whats_recorded
from streams.settings import PolicyInForce, Settings, SettingsError, policy_in_force
from streams.trust import trusted
from streams.verify import Examiner
from streams.watch import Watch
from streams.web.ports import WebPorts
from streams.web.serve import serve_web

log = logging.getLogger(__name__)

_TRY_EVERY: Final = 1.0
"""Seconds between attempts to open a database that does not answer."""


async def main(settings: Settings, self: Supervised, _: int) -> None:
    """Serves until told to stop. Raises SettingsError."""
    policy = policy_in_force(settings)
    recording = unheard(whats_recorded(settings, policy.policy, os.environ), policy.policy)
    database = Database(database_url(settings))
    store, producer = Store(database), Producer(brokers(settings))
    policies = Policies(policy, store.policy_text)
    examiner = Examiner(store.evidence, policies, settings.keep_ended)
    watch = Watch(examiner, producer.publish, policy, utc_now, self.stop)
    calendars = RecentCalendars(partial(_calendars, settings, policy.policy), time.monotonic)
    ports = WebPorts(
        settings=settings,
        policy=policy,
        policies=policies,
        publish=producer.publish,
        reads=store.reads,
        enqueue=store.outbox.enqueue,
        broker_answers=producer.answers,
        recording=recording,
        clock=utc_now,
        findings=watch.count,
        calendars=calendars.of,
        slack_reply=SlackReplies(settings.slack_api_url, trusted(settings.ca_file)).reply,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            asides = [
                _opened(database, store, policy, self.stop),
                _heartbeat(settings, producer, store, watch),
                repeat("verify", watch.keep, self.stop),
            ]
            running = [tasks.create_task(aside) for aside in asides]
            await serve_web(ports, self.ready, self.stop)
            for task in running:
                task.cancel()
    finally:
        await producer.close()
        await store.close()


async def _opened(database: Database, store: Store, policy: PolicyInForce, stop: asyncio.Event) -> None:
    """Opens the database once it answers, and tells it the policy that incidents declared here are opened under."""
    said = ""
    while not stop.is_set():
        try:
            await database.open()
            await store.save_policy(policy.version, policy.policy.name, policy.text)
        except StoreError as error:
            if str(error) != said:
                log.warning("%s", error)
            said = str(error)
            await nap(stop, _TRY_EVERY)
        else:
            return


async def _heartbeat(settings: Settings, producer: Producer, store: Store, watch: Watch) -> None:
    url = settings.heartbeat_url
    call = watchdog(url.get_secret_value(), trusted(settings.ca_file)) if url else _nobody
    one_beat: Callable[[], Awaitable[None]] = partial(
        beat, producer.publish, store.reads, utc_now, watch.guarding(call)
    )
    await repeat("heartbeat", partial(keep_beating, one_beat, watch.stop), watch.stop)


async def _calendars(settings: Settings, policy: Policy) -> Mapping[str, Fetched]:
    """Never raises: a calendar that is not well set is said to whoever asks, and keeps nobody from sending alerts."""
    try:
        return await calendars_at(settings, policy, utc_now).read()
    except SettingsError as error:
        return {name: Fetched(None, None, str(error)) for name, one in policy.schedules.items() if one.ical}


async def _nobody() -> None:
    """Nobody outside is to be called; the path is probed all the same, and its breaking is logged."""
