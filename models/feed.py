"""The public feed, `incident.events`: what was decided, for everybody who follows incidents. Owns its wire form
(JSON).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from models.alert import explain
from models.events import Event
from models.records import Unreadable
from models.severity import Priority, Severity


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One event and its place in the incident's log."""

    seq: int
    at: datetime
    event: Annotated[Event, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRecord:
    """Consecutive events of one incident, with what identifies it. Severity, priority and status are those at
    publishing.
    """

    incident_id: uuid.UUID
    key: str
    number: str
    title: str
    service: str
    severity: Severity
    priority: Priority
    status: str
    policy_version: str
    events: tuple[FeedEntry, ...]


KINDS = "kinds"
"""Header of every record: the kinds of its events, separated by commas, so that a follower reads only what it needs."""

_FEED = TypeAdapter(FeedRecord)


def encode_feed(record: FeedRecord) -> bytes:
    """JSON, as it stands on the topic; the key of the record is the incident key."""
    return _FEED.dump_json(record)


def kinds_of(record: FeedRecord) -> bytes:
    """The value of the header."""
    return ",".join(dict.fromkeys(entry.event.kind for entry in record.events)).encode()


def decode_feed(value: bytes | None) -> FeedRecord:
    """A record of `incident.events`. Raises Unreadable."""
    if value is None:
        message = "the record has no value"
        raise Unreadable(message)
    try:
        return _FEED.validate_json(value)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None
