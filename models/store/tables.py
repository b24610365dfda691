"""The schema. Owns names, types, constraints and indexes; Alembic's migrations make it, a test holds the two together.

`table=True` models are not validated by pydantic, so closed scales have CHECK constraints. Kinds and providers are open
sets and have none. There are no foreign keys: rows of one step are written by one transaction, and the log outlives
what it is about.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Identity,
    Index,
    MetaData,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.deadlines import DeadlineStatus
from models.severity import Priority, Severity

SCHEMA = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "pk": "%(table_name)s_pkey",
    }
)
LIVE = text("ended_at IS NULL")
"""Deliveries that are not over."""
QUEUED = text("ended_at IS NULL AND urgency >= 0")
"""The same, said so that only a query which says it, too, can use the index. Looked at while next to nothing was live,
all indexes of what is live seem as cheap as each other, and a lane's head was looked for in the whole queue.
"""
ARMED = text("status IN ('pending', 'claimed')")
"""Deadlines that have not ended. Said in literals, so that the planner recognises the partial index."""
DELIVERY_STATUSES = ("pending", "sending", "delivered", "refused", "cancelled")

_ROOMY = {"postgresql_with": {"fillfactor": 50}}
"""Pages are filled by half, so that the next version of a row finds room beside it, and no index has to learn of it."""


class _Table(SQLModel):
    metadata = SCHEMA


def _instant(*, nullable: bool = False, default: bool = False) -> Any:
    server_default = text("clock_timestamp()") if default else None
    column = Column(DateTime(timezone=True), nullable=nullable, server_default=server_default)
    return Field(sa_column=column, default=None)


def _text(*, nullable: bool = False, default: str | None = None, key: bool = False) -> Any:
    server_default = None if default is None else text(f"'{default}'")
    return Field(
        sa_column=Column(Text, nullable=nullable, server_default=server_default, primary_key=key), default=default
    )


def _flag() -> Any:
    return Field(default=False, sa_column_kwargs={"server_default": text("false")})


def _follows(rule: str) -> Any:
    """What PostgreSQL derives from the row itself. Indexes ask it instead of `status`: a change of what an index
    asks costs a new entry in every index of the table, and so only what begins or ends may be asked.
    """
    return Field(sa_column=Column(Boolean, Computed(rule, persisted=True), nullable=False), default=None)


def _one_of(column: str, values: type[Enum] | tuple[str, ...]) -> CheckConstraint:
    names = values if isinstance(values, tuple) else tuple(str(value.value) for value in values)
    listed = ", ".join(f"'{name}'" for name in names)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _age(table: str, column: str) -> Index:
    """What retention finds old rows by. Block ranges cost the path of events nothing that a tree would."""
    kept = {"autosummarize": "true", "pages_per_range": "32"}
    return Index(f"{table}_age", column, postgresql_using="brin", postgresql_with=kept)


class IncidentRow(_Table, table=True):
    """One generation of an incident: `state` is the truth, the other columns are for finding it. `seq` fences
    zombies.
    """

    __tablename__ = "incident"
    __table_args__ = (
        _one_of("status", ("triggered", "acknowledged", "resolved")),
        _one_of("severity", Severity),
        _one_of("priority", Priority),
        CheckConstraint("tier BETWEEN 1 AND 3", name="tier"),
        Index("incident_key_generation", "key", "generation", unique=True),
        Index("incident_number", "number", unique=True),
        Index("incident_newest", "opened_at", "id"),
        Index("incident_open", "service", "severity", postgresql_where=text("status <> 'resolved'")),
        Index("incident_attached", "parent", postgresql_where=text("parent IS NOT NULL AND status <> 'resolved'")),
        _ROOMY,
    )
    id: uuid.UUID = Field(primary_key=True)
    key: str = _text()
    generation: int
    number: str = _text()
    seq: int
    status: str = _text()
    severity: str = _text()
    priority: str = _text()
    tier: int
    service: str = _text()
    environment: str = _text()
    title: str = _text()
    policy_version: str = _text()
    opened_at: datetime = _instant()
    acknowledged_at: datetime | None = _instant(nullable=True)
    acknowledged_by: str | None = _text(nullable=True)
    resolved_at: datetime | None = _instant(nullable=True)
    resolved_by: str | None = _text(nullable=True)
    updated_at: datetime = _instant()
    parent: str | None = _text(nullable=True)
    """The key of the incident that it is attached to."""
    state: Any = Field(sa_column=Column(JSON, nullable=False))


class ReviewRow(_Table, table=True):
    """What is owed after one incident."""

    __tablename__ = "review"
    __table_args__ = (_one_of("postmortem_status", ("open", "suspended", "completed")),)
    incident_id: uuid.UUID = Field(primary_key=True)
    number: str = _text()
    seq: int
    postmortem_status: str | None = _text(nullable=True)
    postmortem_owner: str | None = _text(nullable=True)
    postmortem_due_at: datetime | None = _instant(nullable=True)
    updated_at: datetime = _instant()
    state: Any = Field(sa_column=Column(JSON, nullable=False))


class ActionItemRow(_Table, table=True):
    """A projection of the review's state."""

    __tablename__ = "action_item"
    __table_args__ = (_one_of("priority", Priority),)
    id: uuid.UUID = Field(primary_key=True)
    incident_id: uuid.UUID = Field(index=True)
    number: str = _text()
    title: str = _text()
    owner: str = _text()
    priority: str = _text()
    due_at: datetime = _instant()
    created_at: datetime = _instant()
    done_at: datetime | None = _instant(nullable=True)


class EventRow(_Table, table=True):
    """The log, which is the audit trail. `owner_id` is the incident's id for both of its streams, else the window's."""

    __tablename__ = "event"
    __table_args__ = (_one_of("stream", ("incident", "review", "maintenance")),)
    owner_id: uuid.UUID = Field(primary_key=True)
    stream: str = _text(key=True)
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _instant()
    kind: str = _text()
    body: Any = Field(sa_column=Column(JSON, nullable=False))
    signal_id: uuid.UUID


class UnpublishedRow(_Table, table=True):
    """Events of an incident that one transaction wrote and the feed has not: deleted when it has, for the log itself
    is never touched again. `at` is that of the last one.
    """

    __tablename__ = "unpublished"
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    owner_id: uuid.UUID = Field(primary_key=True)
    last: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    first: int


class InboxRow(_Table, table=True):
    """Footsteps: a signal found here was handled. `changed` is False when it led to nothing."""

    __tablename__ = "inbox"
    __table_args__ = (_age("inbox", "at"),)
    signal_id: uuid.UUID = Field(primary_key=True)
    key: str = _text()
    kind: str = _text()
    at: datetime = _instant()
    changed: bool = _flag()


class DeadlineRow(_Table, table=True):
    """The ledger; what is armed is never deleted. `next_at` is the due time, or the end of the lease of one that is
    claimed.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        _one_of("status", DeadlineStatus),
        _one_of("topic", ("incident.signals", "review.signals", "maintenance.signals")),
        Index("deadline_next", "next_at", "id", postgresql_where=ARMED),
        _age("deadline", "armed_at"),
    )
    id: uuid.UUID = Field(primary_key=True)
    owner_id: uuid.UUID = Field(index=True)
    topic: str = _text()
    key: str = _text()
    name: str = _text()
    due_at: datetime = _instant()
    status: str = _text()
    next_at: datetime = _instant()
    armed_at: datetime = _instant(default=True)
    ended_at: datetime | None = _instant(nullable=True)


class DeliveryRow(_Table, table=True):
    """The outbox. `next_at` is when it may be tried, or the end of the lease of one that is being sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        _one_of("status", DELIVERY_STATUSES),
        CheckConstraint("(ended_at IS NULL) = (status IN ('pending', 'sending'))", name="ended"),
        CheckConstraint("urgency BETWEEN 0 AND 2", name="urgency"),
        Index("delivery_live", "provider", "urgency", "seq", postgresql_where=QUEUED),
        Index("delivery_lane", "lane", "seq", postgresql_where=LIVE),
        Index("delivery_untold", "created_at", postgresql_where=text("untold")),
        Index("delivery_incident", "incident_id", "seq"),
        Index("delivery_refused", "provider", postgresql_where=text("refused")),
        _age("delivery", "created_at"),
        _ROOMY,
    )
    id: uuid.UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False, unique=True), default=None)
    incident_id: uuid.UUID | None = None
    incident_key: str = _text()
    provider: str = _text()
    kind: str = _text()
    lane: str = _text()
    urgency: int
    ordinal: int | None = None
    body: Any = Field(sa_column=Column(JSON, nullable=False))
    status: str = _text()
    """From here on columns change, and the write-ahead log need not repeat what stands before."""
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    next_at: datetime = _instant(default=True)
    unknown: bool = _flag()
    cancel_requested: bool = _flag()
    detail: str = _text(default="")
    recorded: bool = _flag()
    receipts: Any = Field(sa_column=Column(JSON, nullable=True), default=None)
    created_at: datetime = _instant(default=True)
    first_attempt_at: datetime | None = _instant(nullable=True)
    ended_at: datetime | None = _instant(nullable=True)
    reported_at: datetime | None = _instant(nullable=True)
    late_reported_at: datetime | None = _instant(nullable=True)
    untold: bool = _follows(
        "kind = 'page' AND incident_id IS NOT NULL AND reported_at IS NULL AND status <> 'cancelled'"
    )
    """How the page fared is not reported yet."""
    refused: bool = _follows("status = 'refused'")


class ReceiptRow(_Table, table=True):
    """What a provider has told about an incident so far; handed to the next send."""

    __tablename__ = "receipt"
    __table_args__ = _ROOMY
    incident_id: uuid.UUID = Field(primary_key=True)
    provider: str = _text(key=True)
    refs: Any = Field(sa_column=Column(JSONB, nullable=False))


class NumberCounterRow(_Table, table=True):
    """The last incident number of a UTC day."""

    __tablename__ = "number_counter"
    day: date = Field(primary_key=True)
    last: int


class PolicyRow(_Table, table=True):
    """Every policy that was ever in force, as it was written."""

    __tablename__ = "policy"
    version: str = _text(key=True)
    name: str = _text()
    text: str = _text()
    first_seen: datetime = _instant(default=True)


class PublicationRow(_Table, table=True):
    """What our own status page says."""

    __tablename__ = "publication"
    delivery_id: uuid.UUID = Field(primary_key=True)
    incident_id: uuid.UUID = Field(index=True)
    number: str = _text()
    title: str = _text()
    stage: str = _text()
    impact: str = _text()
    component: str = _text()
    body: str = _text()
    started_at: datetime = _instant()
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))


class HandoffRow(_Table, table=True):
    """Up to which instant the handoffs of a schedule were told."""

    __tablename__ = "handoff"
    schedule: str = _text(key=True)
    upto: datetime = _instant()


class AlertGroupRow(_Table, table=True):
    """Which incident keys had alerts of a sender's group, so that a group that resolves reaches them all."""

    __tablename__ = "alert_group"
    group_id: str = _text(key=True)
    incident_key: str = _text(key=True)
    key: str = _text()
    told_at: datetime = _instant(default=True)


class HeartbeatRow(_Table, table=True):
    """When a sender's heartbeat was heard last, and since when it is missing. Rows are few: one per sender and name."""

    __tablename__ = "heartbeat"
    sender: str = _text(key=True)
    name: str = _text(key=True)
    awaited_since: datetime = _instant(default=True)
    looked_at: datetime = _instant(default=True)
    heard_at: datetime | None = _instant(nullable=True)
    resolved_at: datetime | None = _instant(nullable=True)
    missing_at: datetime | None = _instant(nullable=True)
    told_at: datetime | None = _instant(nullable=True)


class MaintenanceWindowRow(_Table, table=True):
    """`state` is the truth, the other columns are for finding it. `seq` fences zombies."""

    __tablename__ = "maintenance_window"
    __table_args__ = (
        _one_of("status", ("planned", "started", "ended", "cancelled")),
        Index("maintenance_window_watched", "watched_until"),
    )
    id: uuid.UUID = Field(primary_key=True)
    seq: int
    status: str = _text()
    starts_at: datetime = _instant()
    ends_at: datetime = _instant()
    watched_until: datetime = _instant()
    updated_at: datetime = _instant()
    state: Any = Field(sa_column=Column(JSON, nullable=False))
