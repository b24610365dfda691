"""The broker as the command line sees it: where it is, and which topics it has."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient

from streams.cli.edge import Code, Fault
from streams.places import Unusable
from streams.process.places import brokers
from streams.settings import Settings


def broker_address(settings: Settings) -> str:
    """Where Kafka answers: as configured, else the embedded broker of an `up` that runs. Raises Fault."""
    try:
        return brokers(settings)
    except Unusable as error:
        raise Fault(str(error), Code.UNREACHABLE) from None


async def partitions(address: str, within: float) -> Mapping[str, int]:
    """How many partitions each topic has. To ask for one by name could create it. Raises KafkaError and OSError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=int(within * 1000))
    try:
        await admin.start()
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    finally:
        await admin.close()
