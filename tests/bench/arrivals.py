"""When deadlines arrive on a topic, for anybody who reads it: an observer beside the system's own consumers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic_core import from_json

from streams.cli.broker import partitions

_WITHIN = 10.0


@contextlib.asynccontextmanager
async def arrivals(brokers: str, topic: str) -> AsyncIterator[Mapping[str, float]]:
    """Filled in while it is open: a deadline's id → when its first record could be read, in seconds since 1970."""
    found: dict[str, float] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False)

    async def watch() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                at = time.time()
                for record in records:
                    if one := from_json(record.value).get("deadline_id"):
                        found.setdefault(one, at)

    async with contextlib.AsyncExitStack() as stack:
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        consumer.assign([TopicPartition(topic, one) for one in range((await partitions(brokers, _WITHIN))[topic])])
        await consumer.seek_to_end()
        watching = asyncio.create_task(watch())
        stack.callback(watching.cancel)
        yield found
        if watching.done():
            watching.result()
