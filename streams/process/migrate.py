"""Brings database and topics to what this version needs, and ends."""

from __future__ import annotations

import asyncio
import logging

from models.store import migrations
from streams import topics
from streams.process.places import brokers, database_url
from streams.processes import Supervised
from streams.settings import Settings

log = logging.getLogger(__name__)


async def main(settings: Settings, self: Supervised, _: int) -> None:
    """Raises StoreError, and KafkaError or OSError while the broker is out of reach."""
    revision = await asyncio.to_thread(migrations.upgrade, database_url(settings))
    log.info("the database's schema is at revision %s", revision)
    for line in await topics.declare(brokers(settings)):
        log.warning("%s", line)
    self.ready("")
