"""Publishes records and waits until the broker has them. Owns the one producer of a process.

It must never report a record as written that the broker has not acknowledged (acks=all), nor change the order of
records with equal topic and key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from models.records import Outgoing, Unreadable
from streams.topics import MAX_RECORD_BYTES, unreachable

log = logging.getLogger(__name__)

REQUEST_WITHIN: Final = 10.0
DELIVER_WITHIN: Final = 15.0
"""Seconds until publish() gives up. The records may still have arrived: to publish again may write them twice."""
CLOSE_WITHIN: Final = 3.0
BATCH_BYTES: Final = 256 * 1024

THE_RECORDS_FAULT: Final = (
    MessageSizeTooLargeError,
    InvalidTopicError,
    UnknownTopicOrPartitionError,
    TopicAuthorizationFailedError,
)
"""Errors after which the producer itself is still good."""


class Producer:
    """`publish` is the `Publish` of models/records.py. Use as a context manager, or start() and close()."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._current: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises ConnectionError when no broker answers."""
        await self._producer()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Raises the first thing the broker said, KafkaError or OSError; some of the records may then be written.

        A record that is too large can never be written: Unreadable.
        """
        if not records:
            return
        producer = await self._producer()
        try:
            async with asyncio.timeout(DELIVER_WITHIN):
                await _send_all(producer, records)
        except MessageSizeTooLargeError:
            raise Unreadable(
                f"what follows from it is larger than a record may be ({MAX_RECORD_BYTES} bytes)"
            ) from None
        except THE_RECORDS_FAULT:
            raise
        except TimeoutError:
            self._retire(producer)
            raise TimeoutError(f"{self._brokers} did not acknowledge within {DELIVER_WITHIN:.0f} s") from None
        except KafkaError:
            # After a lost batch an idempotent producer's sequence has a gap, and every later record would be refused.
            self._retire(producer)
            raise

    async def answers(self) -> None:
        """Returns when the broker answers; raises KafkaError or OSError when it does not."""
        producer = await self._producer()
        if not await producer.client.force_metadata_update():
            raise ConnectionError(f"{self._brokers} does not answer")

    async def close(self) -> None:
        if self._current is not None:
            self._retire(self._current)
        if self._retired:
            await asyncio.wait(self._retired)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._current is None:
                self._current = await _started(self._brokers)
            return self._current

    def _retire(self, producer: AIOKafkaProducer) -> None:
        if self._current is producer:
            self._current = None
            task = asyncio.create_task(_stop(producer), name="producer-stop")
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)


async def _send_all(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
    acknowledgements = [
        await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers.items()))
        for record in records
    ]
    results = await asyncio.gather(*acknowledgements, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _started(brokers: str) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=int(REQUEST_WITHIN * 1000),
    )
    try:
        async with asyncio.timeout(DELIVER_WITHIN):
            await producer.start()
    except asyncio.CancelledError:
        await _stop(producer)
        raise
    except (KafkaError, OSError) as error:
        await _stop(producer)
        raise unreachable(brokers) from error
    return producer


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            await producer.stop()
