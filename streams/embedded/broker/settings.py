"""The broker's limits, its clock, and the one error it stops with. Read by every other module of the package."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

MIB = 1024 * 1024


unix_time = time.time  # noqa: TID251 - a broker is an outside party with a clock of its own
"""Seconds; the age of a record is what the broker's own clock says (a producer's may be anything)."""


class BrokerError(Exception):
    """The broker cannot start or go on; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Limits of one broker. The Kafka setting that each one stands for is named where there is one."""

    max_message_bytes: int = 12 * MIB  # message.max.bytes; a webhook of 10 MB and its headers fit
    max_frame_bytes: int = 100 * MIB  # socket.request.max.bytes
    max_fetch_bytes: int = 16 * MIB  # what one Fetch may hold in memory, whatever the client asks for
    max_log_bytes: int = 8 * 1024 * MIB  # all topics together; a produce beyond it is refused, never dropped
    tail_bytes: int = 16 * MIB  # newest batches kept in memory, all partitions together
    retention: timedelta = timedelta(days=7)  # log.retention.ms; a topic's retention.ms goes before it
    retention_bytes: int = -1  # log.retention.bytes, per partition; -1 is unlimited
    retention_every: timedelta = timedelta(seconds=30)
    producer_expiry: timedelta = timedelta(days=7)  # producer.id.expiration.ms; one silent for longer is forgotten
    # auto.create.topics.enable: off, for a topic made by being asked for would have the wrong number of partitions
    auto_create_topics: bool = False
    default_partitions: int = 1  # num.partitions
    max_partitions: int = 10_000
    max_connections: int = 1_000
    connection_idle: timedelta = timedelta(minutes=10)  # connections.max.idle.ms
    min_session: timedelta = timedelta(milliseconds=500)  # group.min.session.timeout.ms
    max_session: timedelta = timedelta(minutes=30)  # group.max.session.timeout.ms
    # After a restart the members of a group are remembered; one that does not call within this time (a heartbeat
    # interval and a bit) is taken for dead, so that a machine that came back whole does not wait for its own ghosts.
    returning_member_grace: timedelta = timedelta(seconds=4)


class Limits(NamedTuple):
    """One topic's: how long and (per partition) how much is kept, -1 for any; how large one message may be."""

    age_ms: int
    size: int
    message: int


def limits_of(config: Mapping[str, str], settings: BrokerSettings) -> Limits:
    """A topic's own limits before the broker's. Raises ValueError or TypeError for a value that is no whole number."""
    return Limits(
        int(config.get("retention.ms", int(settings.retention.total_seconds() * 1000))),
        int(config.get("retention.bytes", settings.retention_bytes)),
        int(config.get("max.message.bytes", settings.max_message_bytes)),
    )
