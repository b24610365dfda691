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


@dataclass(frozen=True, slots=True)
class Written:
    """One event as it stands in the log: `event` is its JSON."""

    seq: int
    at: datetime
    kind: str
    event: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A record of the feed whose events nobody has read, since only their readers must. `about` holds none of them."""

    about: FeedRecord
    events: tuple[Written, ...]


KINDS = "kinds"
"""Header of every record: the kinds of its events, separated by commas, so that a follower reads only what it needs."""

_FEED = TypeAdapter(FeedRecord)
_NO_EVENTS = b"[]}"


def encode_feed(excerpt: Excerpt) -> bytes:
    """JSON, as it stands on the topic; the key of the record is the incident key."""
    entries = (f'{{"seq":{it.seq},"at":"{it.at.isoformat()}","event":{it.event}}}' for it in excerpt.events)
    return b"%b[%b]}" % (_FEED.dump_json(excerpt.about).removesuffix(_NO_EVENTS), ",".join(entries).encode())


def kinds_of(excerpt: Excerpt) -> bytes:
    """The value of the header."""
    return ",".join(dict.fromkeys(it.kind for it in excerpt.events)).encode()


def decode_feed(value: bytes | None) -> FeedRecord:
    """A record of `incident.events`. Raises Unreadable."""
    if value is None:
        message = "the record has no value"
        raise Unreadable(message)
    try:
        return _FEED.validate_json(value)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None
