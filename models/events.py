"""Events of an incident: what we decided, in the past tense. Their log is the audit trail and the timeline. The closed
union of all that can happen to one is `Event`; what belongs to one subject stands in a module beside (*_events.py).

An event carries everything that its meaning needs (due times, levels), so that folding the log gives the state
without the policy. Owns their wire form (JSON); never what follows from them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from models.alert import Alert
from models.coordination_events import CoordinationEvent
from models.correlation_events import CorrelationEvent
from models.escalation_events import EscalationEvent
from models.flapping_events import FlappingEvent
from models.known_alerts import MutedAlert
from models.severity import PendingSeverity, Priority, ServiceTier, Severity
from models.signals import Stage, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened:
    """An incident began. `number` is given by the store, last of all, and is empty until then. POLICY 14."""

    kind: Literal["incident_opened"] = "incident_opened"
    incident_id: uuid.UUID
    key: str
    generation: int
    number: str
    title: str
    summary: str
    service: str
    environment: str
    tier: ServiceTier
    severity: Severity
    priority: Priority
    why: tuple[str, ...]
    links: Mapping[str, str]
    started_at: datetime
    policy_version: str
    by: str
    previous: uuid.UUID | None = None
    """The generation before, when this key has had an incident already."""
    incident_kind: str = ""
    """The kind of incident by its name in the policy, where a rule knows it. POLICY 20."""
    acknowledge_within: timedelta | None = None
    """A clock of its own, of the rule that classified it. POLICY 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReopened:
    """It fired again within the policy's window after it was resolved."""

    kind: Literal["incident_reopened"] = "incident_reopened"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsJoined:
    """Alerts that this incident did not know to be firing. `stale_due` is when their silence is remarked."""

    kind: Literal["alerts_joined"] = "alerts_joined"
    group: str
    alerts: tuple[Alert, ...]
    received_at: datetime
    stale_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSeen:
    """Firing alerts were mentioned again. Kept because it postpones the stale deadline."""

    kind: Literal["alerts_seen"] = "alerts_seen"
    stale_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTruncated:
    """A group said that it holds alerts which it does not list (`unlisted`), or that it no longer does."""

    kind: Literal["group_truncated"] = "group_truncated"
    group: str
    unlisted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsResolved:
    """Alerts that fire no more, by fingerprint."""

    kind: Literal["alerts_resolved"] = "alerts_resolved"
    fingerprints: tuple[str, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsMuted:
    """Alerts that a person's resolve silenced (by fingerprint) until they have been seen resolved; a new
    generation begins with those of the one before.
    """

    kind: Literal["alerts_muted"] = "alerts_muted"
    alerts: Mapping[str, MutedAlert]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChanged:
    """By the policy it only rises; a person may also lower it. POLICY 6."""

    kind: Literal["severity_changed"] = "severity_changed"
    severity: Severity
    priority: Priority
    why: tuple[str, ...]
    by: str
    acknowledge_within: timedelta | None = None
    acknowledge_due: datetime | None = None
    """Where whoever is paged already has less time from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReclassificationPlanned:
    """Severities that rules will reach if the condition lasts; empty when nothing is pending any more."""

    kind: Literal["reclassification_planned"] = "reclassification_planned"
    pending: tuple[PendingSeverity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePosted:
    """Somebody told where things stand. POLICY 12, 16, 18."""

    kind: Literal["update_posted"] = "update_posted"
    by: str
    stage: Stage
    message: str
    actions: str
    next_steps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsWentStale:
    """Nobody has mentioned the firing alerts for the policy's `stale_after`. Said aloud, never closed in silence."""

    kind: Literal["alerts_went_stale"] = "alerts_went_stale"
    stale_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentResolved:
    """It is over: by a person, or because every alert has resolved. A postmortem is due where the policy wants one."""

    kind: Literal["incident_resolved"] = "incident_resolved"
    by: str
    via: Via
    note: str
    reopen_until: datetime
    """Until then an alert that fires again reopens it."""
    postmortem_due: datetime | None
    postmortem_owner: str
    peak: Severity | None = None
    """The worst severity it had; not told by events of before this was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """A deadline of this incident fired."""

    kind: Literal["deadline_passed"] = "deadline_passed"
    name: str


Event = (
    IncidentOpened
    | IncidentReopened
    | AlertsJoined
    | AlertsSeen
    | GroupTruncated
    | AlertsResolved
    | AlertsMuted
    | SeverityChanged
    | ReclassificationPlanned
    | UpdatePosted
    | AlertsWentStale
    | IncidentResolved
    | DeadlinePassed
    | CoordinationEvent
    | CorrelationEvent
    | FlappingEvent
    | EscalationEvent
)


_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def decode_event(value: bytes | str) -> Event:
    """An event of an incident's log."""
    return _EVENTS.validate_json(value)
