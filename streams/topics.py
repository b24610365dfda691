"""The topics, as a literal table. Owns their names and limits; must never alter or delete a topic that exists."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from models import maintenance_signals

MAX_RECORD_BYTES: Final = 12 * 1024 * 1024
"""A webhook of 10 MiB and what is added to it. Receiver, producer and topics agree on this figure."""
BATCH_OVERHEAD_BYTES: Final = 64 * 1024
PARTITIONS: Final = 8
"""Of what many workers share: no more of them than this can work on one topic."""
ONE: Final = 1
"""Of what is rare, or only wakes. Every fetch names every partition, so an idle one costs what a busy one does."""
WEEK: Final = timedelta(days=7)
REQUEST_WITHIN: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    retention: timedelta
    partitions: int = PARTITIONS
    max_record_bytes: int = MAX_RECORD_BYTES

    def configuration(self) -> dict[str, str]:
        return {
            "retention.ms": str(self.retention // timedelta(milliseconds=1)),
            "max.message.bytes": str(self.max_record_bytes + BATCH_OVERHEAD_BYTES),
            "cleanup.policy": "delete",
        }


WEBHOOKS: Final = "alertmanager.webhooks"
SIGNALS: Final = "incident.signals"
EVENTS: Final = "incident.events"
REVIEW_SIGNALS: Final = "review.signals"
MAINTENANCE_SIGNALS: Final = maintenance_signals.TOPIC
DELIVERIES_PAGERDUTY: Final = "deliveries.pagerduty"
DELIVERIES_SLACK: Final = "deliveries.slack"
DELIVERIES_STATUSPAGE: Final = "deliveries.statuspage"
DELIVERIES_EMAIL: Final = "deliveries.email"
DELIVERIES_TICKET: Final = "deliveries.ticket"
DELIVERIES_WEBHOOK: Final = "deliveries.webhook"
DEAD_LETTERS: Final = "dead.letters"

TOPICS: Final[tuple[Topic, ...]] = (
    Topic(WEBHOOKS, WEEK),
    Topic(SIGNALS, WEEK),
    Topic(EVENTS, 4 * WEEK),  # the public feed: a reader may be away for a while
    Topic(REVIEW_SIGNALS, WEEK, ONE),
    Topic(MAINTENANCE_SIGNALS, WEEK, ONE),
    Topic(DELIVERIES_PAGERDUTY, WEEK, ONE),
    Topic(DELIVERIES_SLACK, WEEK, ONE),
    Topic(DELIVERIES_STATUSPAGE, WEEK, ONE),
    Topic(DELIVERIES_EMAIL, WEEK, ONE),
    Topic(DELIVERIES_TICKET, WEEK, ONE),
    Topic(DELIVERIES_WEBHOOK, WEEK, ONE),
    Topic(DEAD_LETTERS, 13 * WEEK),  # people look at these, and replay them
)


async def declare(brokers: str, topics: Sequence[Topic] = TOPICS, *, replication: int = 1) -> list[str]:
    """Creates what is missing. Returns a line for each topic that has too few partitions, and leaves it so.

    Raises ConnectionError when no broker answers, KafkaError or OSError when it goes away or refuses a topic.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=brokers, request_timeout_ms=REQUEST_WITHIN // timedelta(milliseconds=1)
    )
    try:
        await _started(admin, brokers)
        found = await _partitions(admin)
        missing = [topic for topic in topics if topic.name not in found]
        if missing:
            await _create(admin, missing, replication)
            async with asyncio.timeout(REQUEST_WITHIN.total_seconds()):
                while any(topic.name not in found for topic in missing):  # a cluster takes a moment to know of it
                    found = await _partitions(admin)
                    await asyncio.sleep(0.02)
    finally:
        await admin.close()
    return [
        f"topic {topic.name} has {found[topic.name]} partitions, expected {topic.partitions}; left as it is"
        for topic in topics
        if found.get(topic.name, topic.partitions) < topic.partitions
    ]


def unreachable(brokers: str) -> ConnectionError:
    """What is raised when none of `brokers` answers."""
    return ConnectionError(f"no Kafka broker answers at {brokers}: start it, or correct TOCSIN_KAFKA")


async def _started(admin: AIOKafkaAdminClient, brokers: str) -> None:
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        raise unreachable(brokers) from error


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication: int) -> None:
    response = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.configuration()) for topic in topics]
    )
    for name, code, *reason in response.topic_errors:
        error: type[KafkaError] = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another process was faster
            raise error(f"topic {name} could not be created: {reason[0] if reason and reason[0] else error.__name__}")
