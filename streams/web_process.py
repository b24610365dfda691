"""The web process: what serves HTTP, put together with a real broker and database.

Starts and stays up without either of them: a webhook needs the broker alone, the status page shows what it last knew,
and everything else says 503 until they answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Final

from aiokafka.client import AIOKafkaClient

from models.store.connection import Database
from models.store.errors import StoreError
from models.store.store import Store
from streams.clock import utc_now
from streams.loops import nap
from streams.policies import Policies
from streams.producer import Producer
from streams.providers import whats_recorded
from streams.settings import PolicyInForce, Settings, policy_in_force
from streams.web.ports import WebPorts
from streams.web.serve import serve_web

log = logging.getLogger(__name__)

_TRY_EVERY: Final = 1.0


async def serve(
    settings: Settings, brokers: str, database_url: str, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serves until `stop` is set; calls `ready` with the address once it accepts. Raises SettingsError."""
    policy = policy_in_force(settings)
    recording = whats_recorded(settings, policy.policy, os.environ)
    database = Database(database_url)
    store, producer = Store(database), Producer(brokers)
    ports = WebPorts(
        settings=settings,
        policy=policy,
        policies=Policies(policy, store.policy_text),
        publish=producer.publish,
        reads=store.reads,
        enqueue=store.outbox.enqueue,
        broker_answers=lambda: _broker_answers(brokers),
        recording=recording,
        clock=utc_now,
    )
    opening = asyncio.create_task(_open(database, store, policy, stop))
    try:
        await serve_web(ports, ready, stop)
    finally:
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        await producer.close()
        await store.close()


async def _open(database: Database, store: Store, policy: PolicyInForce, stop: asyncio.Event) -> None:
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


async def _broker_answers(brokers: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=brokers, request_timeout_ms=2000)
    try:
        await client.bootstrap()
    finally:
        await client.close()
