"""The floor's worker: three bare consumers in a row and the bare table loop, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from pydantic_core import from_json, to_json

from tests.bench.floor import tables
from tests.bench.floor.receiver import producing
from tests.bench.floor.topics import DEADLINES, PAGES, SIGNALS, WEBHOOKS

MOST = 64
"""Records of one batch, and so incidents of one transaction."""
COMMIT_EVERY = 0.5
_Act = Callable[[Sequence[ConsumerRecord]], Awaitable[None]]


async def work(brokers: str, database: str, peer: str, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Works until `stop` is set."""
    async with contextlib.AsyncExitStack() as stack:
        producer = await stack.enter_async_context(producing(brokers))
        writing, claiming, listening = [
            await stack.enter_async_context(await psycopg.AsyncConnection.connect(database, autocommit=True))
            for _ in range(3)
        ]
        session = await stack.enter_async_context(aiohttp.ClientSession(peer, connector=aiohttp.TCPConnector(limit=32)))
        steps: list[tuple[str, _Act]] = [
            (WEBHOOKS, partial(triage, producer)),
            (SIGNALS, partial(open_incidents, producer, writing)),
            (PAGES, partial(page, session)),
        ]
        running = [asyncio.create_task(consume(brokers, topic, act)) for topic, act in steps]
        running.append(asyncio.create_task(fire(producer, claiming, listening)))
        ready()
        await asyncio.wait([*running, told := asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        for task in (*running, told):
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def triage(producer: AIOKafkaProducer, batch: Sequence[ConsumerRecord]) -> None:
    """One record per group."""
    signals = []
    for record in batch:
        group = from_json(record.value)
        labels = group["commonLabels"]
        signal = {
            "id": str(uuid.uuid4()),
            "key": labels["service"],
            "title": f"{labels['alertname']} on {labels['service']}",
            "severity": labels["severity"],
            "alerts": group["alerts"],
        }
        signals.append((labels["service"], to_json(signal)))
    await _send(producer, SIGNALS, signals)


async def open_incidents(
    producer: AIOKafkaProducer, connection: psycopg.AsyncConnection, batch: Sequence[ConsumerRecord]
) -> None:
    """One transaction per batch: inbox, incident, three events and a deadline each; then their pages."""
    signals = [from_json(record.value) for record in batch]
    rows = {
        "ids": [signal["id"] for signal in signals],
        "keys": [signal["key"] for signal in signals],
        "titles": [signal["title"] for signal in signals],
        "severities": [signal["severity"] for signal in signals],
        "counts": [len(signal["alerts"]) for signal in signals],
        "alerts": [to_json(signal["alerts"]).decode() for signal in signals],
    }
    async with connection.pipeline(), connection.transaction():
        for statement in tables.WRITE:
            await connection.execute(statement, rows)
    await _send(producer, PAGES, [(signal["key"], to_json(_event(signal))) for signal in signals])


def _event(signal: dict[str, Any]) -> dict[str, object]:
    details = {"severity": "SEV1", "alerts_firing": len(signal["alerts"])}
    summary = f"SEV1 P0 {signal['title']}"
    return {
        "routing_key": "0" * 32,
        "event_action": "trigger",
        "dedup_key": signal["key"],
        "payload": {
            "summary": summary,
            "source": signal["key"],
            "component": signal["key"],
            "severity": "critical",
            "custom_details": details,
        },
    }


async def page(session: aiohttp.ClientSession, batch: Sequence[ConsumerRecord]) -> None:
    """One POST each, side by side."""

    async def post(body: bytes) -> None:
        async with session.post("/v2/enqueue", data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            answer.raise_for_status()

    await asyncio.gather(*(post(record.value) for record in batch))


async def _send(producer: AIOKafkaProducer, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
    await asyncio.gather(*[await producer.send(topic, value, key=key.encode()) for key, value in records])


async def consume(brokers: str, topic: str, act: _Act) -> None:
    """Batches in order; an offset is committed only after its batch is done, twice a second as ours are."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=brokers, group_id=topic, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    done: dict[TopicPartition, int] = {}

    async def commit() -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            if done:
                offsets = dict(done)
                done.clear()
                await consumer.commit(offsets)

    async with contextlib.AsyncExitStack() as stack:
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        committing = asyncio.create_task(commit())
        stack.callback(committing.cancel)
        while not committing.done():
            found = await consumer.getmany(timeout_ms=500, max_records=MOST)
            if found:
                await act([record for records in found.values() for record in records])
            done.update({partition: records[-1].offset + 1 for partition, records in found.items()})
        committing.result()


async def fire(
    producer: AIOKafkaProducer, claiming: psycopg.AsyncConnection, listening: psycopg.AsyncConnection
) -> None:
    """The bare table loop: fires what is due in hundreds and hands it on, then sleeps until the next is, woken by
    NOTIFY.
    """
    await listening.execute(f"LISTEN {tables.CHANNEL}")
    handed_on: list[Awaitable[object]] = []
    while True:
        async with claiming.transaction():
            due = await (await claiming.execute(tables.CLAIM)).fetchall()
            if due:
                await claiming.execute(tables.FIRED, [[row[0] for row in due]])
        if due:
            for row_id, key, name in due:
                value = to_json({"deadline_id": str(row_id), "name": name})
                handed_on.append(await producer.send(DEADLINES, value, key=key.encode()))
            continue
        await asyncio.gather(*handed_on)
        handed_on.clear()
        row = await (await claiming.execute(tables.UNTIL_NEXT)).fetchone()
        left = 1.0 if row is None or row[0] is None else row[0]
        async for _ in listening.notifies(timeout=min(max(left, 0.0), 1.0), stop_after=1):
            pass
