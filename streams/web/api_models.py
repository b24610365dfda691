"""What clients of the API are shown. Owns the wire form; a field that is here stays."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from models import wire
from models.deadlines import Deadline
from models.explanation import Reason
from models.severity import Priority, ServiceTier, Severity
from models.signals import Stage
from models.state import Incident, Status
from models.step import Logged
from models.store.rows import DeadlineRow, DeliveryRow, Ticket


class DeadlineView(BaseModel):
    id: uuid.UUID
    name: str
    due_at: datetime
    status: str = "pending"
    incident_id: uuid.UUID | None = None
    ended_at: datetime | None = None

    @classmethod
    def armed(cls, deadline: Deadline) -> DeadlineView:
        return cls(id=deadline.id, name=deadline.name, due_at=deadline.due_at)

    @classmethod
    def of(cls, row: DeadlineRow) -> DeadlineView:
        return cls.model_validate(row, from_attributes=True)


class TicketView(BaseModel):
    """Where the ticket system keeps an incident."""

    id: str | None
    url: str


class PageView(BaseModel):
    ordinal: int
    level: str
    received: bool
    failed: bool


class IncidentView(BaseModel):
    """An incident as it stands."""

    number: str
    id: uuid.UUID
    key: str
    generation: int
    status: Status
    stage: Stage
    severity: Severity
    priority: Priority
    kind: str
    title: str
    summary: str
    service: str
    environment: str
    tier: ServiceTier
    why: tuple[str, ...]
    links: Mapping[str, str]
    started_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    last_update_at: datetime | None
    next_update_due: datetime | None
    updates_missed: int
    roles: Mapping[str, str]
    level: str | None
    alerts: int
    firing: int
    attached_to: str | None
    """The incident that pages for this one: its number, or its key where it had none yet."""
    collected: int
    """How many were ever attached to this one."""
    frozen: bool
    pages: list[PageView]
    deadlines: list[DeadlineView]
    policy_version: str
    chain: str | None
    """The chain that a person gave it; null for that of its service."""
    ticket: TicketView | None = None
    """Null until the ticket system has answered with an address."""

    @classmethod
    def of(cls, incident: Incident, ticket: Ticket | None = None) -> IncidentView:
        return cls(
            ticket=TicketView.model_validate(ticket, from_attributes=True) if ticket else None,
            **{name: getattr(incident, name) for name in _SAME},
            next_update_due=incident.coordination.next_update_due,
            updates_missed=incident.coordination.updates_missed,
            roles=incident.coordination.roles,
            level=incident.pages[-1].level if incident.pages else None,
            alerts=incident.alerts.count,
            firing=len(incident.firing),
            attached_to=incident.attached_to or None,
            collected=incident.correlated.collected,
            frozen=incident.correlated.frozen,
            pages=[PageView.model_validate(page, from_attributes=True) for page in incident.pages],
            deadlines=sorted(
                map(DeadlineView.armed, incident.deadlines.values()), key=lambda deadline: deadline.due_at
            ),
        )


_OWN = {
    *("next_update_due", "updates_missed", "roles", "level", "alerts", "firing", "pages", "deadlines"),
    *("attached_to", "collected", "frozen", "ticket"),
}
_SAME = set(IncidentView.model_fields) - _OWN


class IncidentPage(BaseModel):
    """`next` continues the list; null at its end."""

    incidents: list[IncidentView]
    next: str | None


class TimelineEntry(BaseModel):
    seq: int
    at: datetime
    kind: str
    event: dict[str, Any]

    @classmethod
    def of(cls, logged: Logged) -> TimelineEntry:
        event: dict[str, Any] = json.loads(wire.encode(logged.event))
        return cls(seq=logged.seq, at=logged.at, kind=event.pop("kind"), event=event)


class ReasonView(BaseModel):
    at: datetime
    text: str


class Explanation(BaseModel):
    """The reasons for what was decided about an incident, in order."""

    number: str
    policy: str
    policy_version: str
    reasons: list[ReasonView]
    ticket: TicketView | None = None

    @classmethod
    def of(cls, incident: Incident, policy: str, reasons: Sequence[Reason], ticket: Ticket | None) -> Explanation:
        return cls(
            number=incident.number,
            policy=policy,
            policy_version=incident.policy_version,
            reasons=[ReasonView(at=reason.at, text=reason.text) for reason in reasons],
            ticket=TicketView.model_validate(ticket, from_attributes=True) if ticket else None,
        )


class DeliveryView(BaseModel):
    id: uuid.UUID
    incident_id: uuid.UUID | None
    provider: str
    kind: str
    status: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    recorded: bool
    detail: str
    level: str | None
    test: bool

    @classmethod
    def of(cls, row: DeliveryRow) -> DeliveryView:
        return cls.model_validate(row, from_attributes=True)


class CommandAnswer(BaseModel):
    """What a command led to. `changed` is False when there was nothing to do, as for an incident that is resolved;
    `recording` is True when its pages are only recorded, since no provider is configured that would wake anybody.
    """

    changed: bool
    signal_id: uuid.UUID
    incident: IncidentView
    recording: bool = False


class PageTestAnswer(BaseModel):
    """`recording` is True when no provider is configured, so that nobody will be paged."""

    delivery_id: uuid.UUID
    """Of the first of them."""
    delivery_ids: list[uuid.UUID]
    chain: str
    level: str
    whom: list[str]
    recording: bool


class Accepted(BaseModel):
    """The command is kept, but not handled yet. Asking again with the same Idempotency-Key changes nothing."""

    signal_id: uuid.UUID
    hint: str


class Problem(BaseModel):
    """Every error."""

    error: str
    hint: str
