"""Events of an incident: what we decided, in the past tense. Their log is the audit trail and the timeline.

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
from models.flapping_events import FlappingEvent
from models.known_alerts import MutedAlert
from models.page import Page, Pages, Recipient
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


PageReason = Literal[
    "opened",
    "reopened",
    "not acknowledged",
    "escalated",
    "severity raised",
    "page not deliverable",
    "business hours",
    "acknowledgement expired",
    "detached",
    "maintenance over",
    "reassigned",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPaged:
    """A level of the chain is paged. `acknowledge_due` holds unless the page's receipt starts the clock earlier."""

    kind: Literal["level_paged"] = "level_paged"
    ordinal: int
    """Counts the pages of this incident from 1; names the page for ever. Of several it is the first one's."""
    step: int
    """Position in the chain, counted on through its rounds from 0."""
    level: str
    routing_key: str
    reason: PageReason
    by: str
    acknowledge_due: datetime
    recipients: tuple[Recipient, ...] = ()
    """Who was found at that moment, one page each, numbered on from `ordinal`; `routing_key` is the first one's."""

    @property
    def pages(self) -> Pages:
        """The pages of this step."""
        recipients = self.recipients or (Recipient(routing_key=self.routing_key),)
        return tuple(
            Page(
                self.ordinal + place,
                self.level,
                one.routing_key,
                beside=place > 0,
                email=one.email,
                webhook=one.webhook,
            )
            for place, one in enumerate(recipients)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSkipped:
    """A level that reached nobody when its turn came: the next one is paged at once."""

    kind: Literal["level_skipped"] = "level_skipped"
    step: int
    level: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodyOnCall:
    """No level of the whole chain reaches anybody; the last resort is paged where there is one."""

    kind: Literal["nobody_on_call"] = "nobody_on_call"
    levels: tuple[str, ...]
    last_resort: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHeld:
    """Nobody is woken for this yet: after hours, until business hours begin (POLICY 11); or in a maintenance window,
    until it ends (POLICY 21). Then the level at `step` is paged.
    """

    kind: Literal["page_held"] = "page_held"
    step: int
    until: datetime
    maintenance: str = ""
    """The title of the window; empty after hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReassigned:
    """A person gave the incident another policy or chain; the level waited for stands at `step` of it, from 0. None of
    a due time leaves its deadline as it is.
    """

    kind: Literal["policy_reassigned"] = "policy_reassigned"
    policy_version: str
    was: str
    """The version before."""
    chain: str | None
    """By its name; None for that of the service."""
    by: str
    step: int
    acknowledge_due: datetime | None
    expires_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementStands:
    """Who took it has told news since, so it is theirs until it is looked at again."""

    kind: Literal["acknowledgement_stands"] = "acknowledgement_stands"
    expires_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReceived:
    """The provider confirmed a page: from now on people can know, so the clock runs."""

    kind: Literal["page_received"] = "page_received"
    ordinal: int
    acknowledge_due: datetime | None
    """None where the page is no longer the current one or nobody is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFailed:
    """A page was refused for good (`final`) or has not got through for too long."""

    kind: Literal["page_failed"] = "page_failed"
    ordinal: int
    level: str
    reason: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationExhausted:
    """Every level was paged in every round and nobody acknowledged."""

    kind: Literal["escalation_exhausted"] = "escalation_exhausted"
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody took it; the acknowledgement clock stops."""

    kind: Literal["acknowledged"] = "acknowledged"
    by: str
    via: Via
    expires_due: datetime | None = None
    """When it is looked at whether they are still at it, where the policy wants that."""


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
    | LevelPaged
    | PageReceived
    | PageFailed
    | EscalationExhausted
    | Acknowledged
    | UpdatePosted
    | AlertsWentStale
    | IncidentResolved
    | DeadlinePassed
    | LevelSkipped
    | NobodyOnCall
    | PageHeld
    | AcknowledgementStands
    | PolicyReassigned
    | CoordinationEvent
    | CorrelationEvent
    | FlappingEvent
)


_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def decode_event(value: bytes | str) -> Event:
    """An event of an incident's log."""
    return _EVENTS.validate_json(value)
