"""What the HTTP side needs from outside, as protocols: a way to publish, and questions to the store."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agents.ports import PolicyBook
from models.deliveries import Delivery
from models.records import Publish
from models.review import ActionItem, Postmortem
from models.severity import Severity
from models.state import Incident, Status
from models.statuspage import Publication
from models.step import Logged
from streams.clock import Clock
from streams.settings import PolicyInForce, Settings


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None means any."""

    statuses: frozenset[Status] | None = None
    severities: frozenset[Severity] | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of incidents, newest first: what follows is older."""

    opened_at: datetime
    incident_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Handled:
    """A signal that the lifecycle or the review has handled. `changed` is False when it led to nothing."""

    changed: bool


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
    oldest_pending_page_seconds: float = 0.0
    due_deadlines: int = 0
    oldest_due_deadline_seconds: float = 0.0
    open_incidents: Mapping[str, int] = field(default_factory=dict)
    """By severity."""


class Reads(Protocol):
    """Questions to the store. Every one raises the database's own errors while it is out of reach."""

    async def now(self) -> datetime: ...
    async def incidents(self, which: IncidentFilter, after: Position | None, limit: int) -> Sequence[Incident]:
        """Newest first."""
        ...

    async def incident_by_number(self, number: str) -> Incident | None: ...
    async def incident_by_id(self, incident_id: uuid.UUID) -> Incident | None: ...
    async def timeline(self, incident_id: uuid.UUID) -> Sequence[Logged]:
        """The log, in order."""
        ...

    async def deliveries(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeliveryRow]:
        """Newest first."""
        ...

    async def delivery(self, delivery_id: uuid.UUID) -> DeliveryRow | None: ...
    async def deadlines(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeadlineRow]:
        """Of an incident (and its review) the whole ledger; of None those still armed, soonest first."""
        ...

    async def postmortems(self) -> Sequence[ReviewOf]: ...
    async def action_items(self, incident_id: uuid.UUID | None) -> Sequence[ReviewOf]: ...
    async def action_item(self, item_id: uuid.UUID) -> ReviewOf | None: ...
    async def handled(self, signal_id: uuid.UUID) -> Handled | None:
        """None until the signal was handled."""
        ...

    async def publications(self) -> Sequence[Publication]:
        """What the status page says: everything of unresolved incidents, and some months of the others."""
        ...

    async def figures(self) -> Figures: ...


@dataclass(frozen=True, slots=True)
class WebPorts:
    """Everything that the HTTP side is built from."""

    settings: Settings
    policy: PolicyInForce
    policies: PolicyBook
    publish: Publish
    reads: Reads
    enqueue: Callable[[Delivery], Awaitable[None]]
    """Keeps a delivery that belongs to no incident (a test page), so that it will be sent."""
    broker_answers: Callable[[], Awaitable[None]]
    """Returns when the broker is reachable; raises what is wrong."""
    recording: Mapping[str, bool]
    """By provider: True when it records instead of sending."""
    clock: Clock
