"""Events of a maintenance window: how it was planned, told and ended. Its log, and the wire form of that. POLICY 21.

Never what follows from them: models/maintenance.py.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from models.events import DeadlinePassed
from models.severity import Severity


@dataclass(frozen=True, slots=True)
class Fired:
    """An incident of the window's services that began, or whose page was held, while it was in force."""

    number: str
    title: str
    service: str
    severity: Severity
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePlanned:
    """Somebody, or the policy, plans it. What it holds by is frozen here."""

    kind: Literal["maintenance_planned"] = "maintenance_planned"
    window_id: uuid.UUID
    title: str
    services: tuple[str, ...]
    environment: str | None
    starts_at: datetime
    ends_at: datetime
    covers_sev1: bool
    by: str
    rule: str
    """The policy's rule that it recurs by; empty for one that a person planned."""
    watch: timedelta
    announce_due: tuple[datetime, ...]
    """When it is announced ahead, in order."""
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceAnnounced:
    """It was told ahead. `announce_due` is when it is told again."""

    kind: Literal["maintenance_announced"] = "maintenance_announced"
    announce_due: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceStarted:
    """From now on nothing of its services pages by itself."""

    kind: Literal["maintenance_started"] = "maintenance_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceMoved:
    """Its end is another one: later, sooner, or now."""

    kind: Literal["maintenance_moved"] = "maintenance_moved"
    ends_at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceEnded:
    """It is over; what fired meanwhile is shown, `count` of them. The watch begins."""

    kind: Literal["maintenance_ended"] = "maintenance_ended"
    fired: tuple[Fired, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceCancelled:
    """It does not take place, or not any longer."""

    kind: Literal["maintenance_cancelled"] = "maintenance_cancelled"
    by: str


MaintenanceEvent = (
    MaintenancePlanned
    | MaintenanceAnnounced
    | MaintenanceStarted
    | MaintenanceMoved
    | MaintenanceEnded
    | MaintenanceCancelled
    | DeadlinePassed
)
