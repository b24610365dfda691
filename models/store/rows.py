"""Answers of the store's queries that are no part of the domain: lines of ledger and outbox, filters, figures.

Pure data.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.review import ActionItem, Postmortem
from models.severity import Severity
from models.state import Status


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None means any."""

    statuses: frozenset[Status] | None = None
    severities: frozenset[Severity] | None = None
    service: str | None = None
    parent: str | None = None
    """The key of the incident that they are attached to."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of incidents, newest first: what follows is older."""

    opened_at: datetime
    incident_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Handled:
    """A signal that the lifecycle or the review has handled. `changed` is False when it led to nothing."""

    changed: bool


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where the ticket system keeps an incident, by its own answer."""

    url: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery and how sending it goes. `status` is the store's word."""

    id: uuid.UUID
    incident_id: uuid.UUID | None
    provider: str
    kind: str
    status: str
    attempts: int
    created_at: datetime
    next_at: datetime | None = None
    """When it will be tried; None for one that has ended."""
    ended_at: datetime | None = None
    recorded: bool = False
    """True when it was recorded instead of sent."""
    detail: str = ""
    level: str | None = None
    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRow:
    """One line of the deadline ledger."""

    id: uuid.UUID
    incident_id: uuid.UUID | None
    name: str
    due_at: datetime
    status: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReviewOf:
    """What is owed after one incident: its postmortem or one of its action items, with the incident it belongs to."""

    incident_id: uuid.UUID
    number: str
    what: Postmortem | ActionItem


@dataclass(frozen=True, slots=True)
class Figures:
    """What the metrics show of the store. Ages are seconds behind the database's present."""

    pending_deliveries: Mapping[str, int] = field(default_factory=dict)
    """By provider."""
    refused_deliveries: Mapping[str, int] = field(default_factory=dict)
    """By provider, of those that are kept."""
    oldest_pending_page_seconds: float = 0.0
    """Of the pages that wait, and of those that were superseded while they could not be sent."""
    due_deadlines: int = 0
    oldest_due_deadline_seconds: float = 0.0
    open_incidents: Mapping[str, int] = field(default_factory=dict)
    """By severity."""
