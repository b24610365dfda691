"""One member of a consumer group: the Faust application, its settings, its start and its end.

Owns what Faust is allowed to do here. It must never start Faust's web server, tables, producer or logging, and never
end in silence: what stops it is raised by run_app.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import Any, Final, Protocol

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from yarl import URL

from streams.guard import GuardedConsumer, GuardedTransport
from streams.ledger import WINDOW_RECORDS
from streams.producer import BATCH_BYTES

log = logging.getLogger(__name__)

POLL_RECORDS: Final = 1000
FETCH_BYTES: Final = BATCH_BYTES
"""Per partition and fetch: what our producer sends at once. A larger record still arrives, alone: brokers return at
least one (KIP-74).
"""
SESSION_TIMEOUT: Final = timedelta(seconds=8)
"""A killed worker's partitions move after this and the others' next heartbeat (a quarter of it): within 10 s."""
FINISH_WITHIN: Final = 5.0
STOP_WITHIN: Final = 5.0


class Loop(Protocol):
    """Takes batches of one topic until it is told to finish."""

    async def run(self) -> None: ...

    def finish(self) -> None: ...


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
        self.loops: list[Loop] = []

    def _create_directories(self) -> None:
        """Faust would make a data directory for tables in the current directory."""

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        """Faust would start the agent anew without what its stream dropped: only a new process fetches that again."""
        await self.crash(exc)

    @property
    def guarded_consumer(self) -> GuardedConsumer:
        consumer = self.consumer
        assert isinstance(consumer, GuardedConsumer)
        return consumer


def faust_app(
    name: str, brokers: str, *, session_timeout: timedelta = SESSION_TIMEOUT, instance: str | None = None
) -> App:
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
        consumer_metadata_max_age_ms=3000,  # a leader without metadata assigns nothing until it asks again
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


async def run_app(app: App, stop: asyncio.Event) -> None:
    """Runs until `stop` is set, then finishes the batches in hand, commits and leaves the group.

    Raises what ended it otherwise: the process should exit, a new one redelivers whatever was not done.
    """
    loops = [asyncio.create_task(loop.run(), name="consume") for loop in app.loops]
    faust_task = asyncio.create_task(_run_faust(app), name="faust")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait([*loops, faust_task, stopped], return_when=asyncio.FIRST_COMPLETED)
        for loop in app.loops:
            loop.finish()
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
