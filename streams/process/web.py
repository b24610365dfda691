"""The web process: receiver, API, status page and heartbeat, put together from the store, the producer and the
settings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial

from models.store.store import Store
from streams.clock import utc_now
from streams.heartbeat import beat, keep_beating, watchdog
from streams.loops import repeat
from streams.policies import Policies
from streams.process.places import brokers, database_url
from streams.processes import Supervised
from streams.producer import Producer
from streams.recording import whats_recorded
from streams.settings import Settings, policy_in_force
from streams.trust import trusted
from streams.web.ports import WebPorts
from streams.web.serve import serve_web


async def main(settings: Settings, self: Supervised, _: int) -> None:
    """Serves until told to stop. Starts without a broker, too: until it answers, webhooks are answered 503."""
    policy = policy_in_force(settings)
    recording = whats_recorded(settings, policy.policy, os.environ)
    store = await Store.open(database_url(settings))
    producer = Producer(brokers(settings))
    ports = WebPorts(
        settings=settings,
        policy=policy,
        policies=Policies(policy, store.policy_text),
        publish=producer.publish,
        reads=store.reads,
        enqueue=store.outbox.enqueue,
        broker_answers=producer.answers,
        recording=dict.fromkeys(recording, True),
        clock=utc_now,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            heartbeat = tasks.create_task(_heartbeat(settings, producer, store, self.stop))
            await serve_web(ports, self.ready, self.stop)
            self.stop.set()
            heartbeat.cancel()
    finally:
        await producer.close()
        await store.close()


async def _heartbeat(settings: Settings, producer: Producer, store: Store, stop: asyncio.Event) -> None:
    url = settings.heartbeat_url
    call = watchdog(url.get_secret_value(), trusted(settings.ca_file)) if url else _nobody
    one_beat: Callable[[], Awaitable[None]] = partial(beat, producer.publish, store.reads, utc_now, call)
    await repeat("heartbeat", partial(keep_beating, one_beat, stop), stop)


async def _nobody() -> None:
    """Nobody outside is to be called; the path is probed all the same, and its breaking is logged."""
