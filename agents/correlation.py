"""Follows what incidents say about each other, and tells it to the other: an incident's log is written by its own key
alone.

Listens to the public feed. What was attached is told to the incident that pages for it, which a storm begins with;
alerts that a frozen incident does not take go to the key beside it. Every signal's id follows from the event, so that
a redelivery changes nothing. Never changes an incident.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.correlation_events import AlertsHandedOn, IncidentAttached
from models.feed import KINDS, FeedRecord, decode_feed
from models.records import Outgoing, Publish, Record
from models.signals import AlertsReported, Collected, IncidentsAttached, encode_signal
from models.storms import collecting

_FOLLOWED = frozenset({b"incident_attached", b"alerts_handed_on"})


@dataclass(frozen=True, slots=True)
class CorrelationPorts:
    """What it needs from outside. `signals_topic` takes what it makes."""

    publish: Publish
    signals_topic: str


async def follow(batch: Sequence[Record], ports: CorrelationPorts) -> None:
    """Handles records of the public feed. Raises Unreadable, and what publishing raises."""
    signals = [signal for record in batch if _matters(record) for signal in _told(decode_feed(record.value))]
    if signals:
        await ports.publish(
            [Outgoing(ports.signals_topic, signal.key.encode(), encode_signal(signal)) for signal in signals]
        )


def _matters(record: Record) -> bool:
    kinds = record.headers.get(KINDS)
    return kinds is None or not _FOLLOWED.isdisjoint(kinds.split(b","))


def _told(feed: FeedRecord) -> Iterator[AlertsReported | IncidentsAttached]:
    for entry in feed.events:
        signal_id = uuid.uuid5(feed.incident_id, f"correlation/{entry.seq}")
        match entry.event:
            case IncidentAttached() as event:
                one = Collected(
                    incident_id=feed.incident_id,
                    number=feed.number,
                    title=feed.title,
                    severity=event.severity,
                    tier=event.tier,
                    why=event.why,
                )
                yield collecting(event.parent, (one,), signal_id, feed.policy_version)
            case AlertsHandedOn(to=to, report=report):
                yield replace(report, id=signal_id, key=to)
            case _:
                pass
