"""What the HTTP side needs from outside, as protocols: a way to publish, and questions to the store."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agents.ports import PolicyBook
from models.deliveries import Delivery, Provider
from models.heartbeats import Watched
from models.maintenance import MaintenanceWindow
from models.policy import Policy
from models.records import Publish
from models.state import Incident
from models.statuspage import Publication
from models.step import Logged
from models.store.rows import DeadlineRow, DeliveryRow, Figures, Handled, IncidentFilter, Position, ReviewOf, Ticket
from streams.calendars import Fetched
from streams.clock import Clock
from streams.rota import ReadCalendars
from streams.settings import PolicyInForce, Settings


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

    async def tickets(self, incidents: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Ticket]:
        """Those whose address the ticket system has answered, by incident."""
        ...

    async def publications(self) -> Sequence[Publication]:
        """What the status page says: everything of unresolved incidents, and some months of the others."""
        ...

    async def windows(self) -> Sequence[MaintenanceWindow]:
        """Maintenance that is planned, in force, or was a month ago; by its start."""
        ...

    async def window(self, window_id: uuid.UUID) -> MaintenanceWindow | None: ...
    async def figures(self) -> Figures: ...
    async def heartbeats(self) -> Sequence[Watched]:
        """Of senders, by sender and name."""
        ...


async def _no_calendars(_: Policy) -> Mapping[str, Fetched]:
    return {}


async def _nobody(response_url: str, text: str) -> None:
    """Slack is not answered."""


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
    recording: Mapping[Provider, str]
    """The providers whose deliveries are recorded instead of sent, each with why."""
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    """Seconds, for how old an answer is."""
    findings: Callable[[], int | None] = lambda: None
    """How many broken promises are known; None while nobody has looked."""
    calendars: ReadCalendars = _no_calendars
    """Of schedules that are kept elsewhere."""
    slack_reply: Callable[[str, str], Awaitable[None]] = _nobody
    """Tells, by a response_url, whoever pressed a button in Slack."""
