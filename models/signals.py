"""Signals: what we were told. Everything that can change an incident or a review is one of these, on a keyed topic.

A signal's `id` is minted once by whoever heard it first (or derived from such an id), so that a redelivery finds its
own footsteps. Owns the wire form (JSON) of signals; never what follows from them. Long because it is all
that an incident can be told, in one place.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from models import wire
from models.alert import Alert, AlertStatus
from models.deliveries import DeliveryKind, Provider
from models.role import Role
from models.severity import Classification, Priority, ServiceTier, Severity

Via = Literal["api", "cli", "pagerduty", "slack", "alertmanager", "tocsin"]
Stage = Literal["investigating", "identified", "monitoring", "resolved"]
"""Of the status page. POLICY 18."""


def _storable(key: str) -> str:
    """As the database gives a key back: two spellings of one key would be two states of one incident."""
    return key.replace("\0", "\ufffd")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnySignal:
    """What all signals have: whom they are for, and an id of their own."""

    id: uuid.UUID
    key: Annotated[str, AfterValidator(_storable)]
    """The incident key; for a review signal the incident's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsReported(AnySignal):
    """Alerts of one webhook that belong to one incident, as triage classified them."""

    kind: Literal["alerts_reported"] = "alerts_reported"
    sender: str
    group: str
    """Sender and groupKey: what a resolved group resolves by."""
    group_status: AlertStatus
    truncated: int
    alerts: tuple[Alert, ...]
    received_at: datetime
    title: str
    summary: str
    service: str
    environment: str
    links: Mapping[str, str]
    """`runbook`, `dashboard`, `source`: where to look, in every message. POLICY 7."""
    classification: Classification
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDeclared(AnySignal):
    """A person says that there is an incident. POLICY 40."""

    kind: Literal["incident_declared"] = "incident_declared"
    title: str
    summary: str
    service: str
    environment: str
    severity: Severity
    priority: Priority
    tier: ServiceTier
    by: str
    via: Via
    policy_version: str
    incident_kind: str = ""
    """By its name in the policy; empty where the person does not say. POLICY 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(AnySignal):
    """A person wants something of an incident."""

    incident_id: uuid.UUID
    by: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeRequested(Command):
    """Somebody takes the incident."""

    kind: Literal["acknowledge_requested"] = "acknowledge_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateRequested(Command):
    """Somebody wants the next level, or the named one, to be paged now."""

    kind: Literal["escalate_requested"] = "escalate_requested"
    level: str | None = None
    asked_at: datetime | None = None
    """By the database's clock, as the page is that may have answered it already; None in records of older versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequested(Command):
    """Somebody says that it is over."""

    kind: Literal["resolve_requested"] = "resolve_requested"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRequested(Command):
    """Somebody tells the others where things stand. POLICY 12, 16, 18."""

    kind: Literal["update_requested"] = "update_requested"
    message: str
    stage: Stage | None = None
    actions: str = ""
    next_steps: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRequested(Command):
    """Somebody changes the severity, up or down, and says why. POLICY 6."""

    kind: Literal["severity_requested"] = "severity_requested"
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRequested(Command):
    """Somebody takes a role or gives it to another; without a person it is given back. POLICY 15."""

    kind: Literal["role_requested"] = "role_requested"
    role: Role
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistTickRequested(Command):
    """Somebody has done a step of the checklist (numbered from 1), or takes that back. POLICY 20."""

    kind: Literal["checklist_tick_requested"] = "checklist_tick_requested"
    step: int
    done: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignRequested(Command):
    """Somebody gives the incident the policy that was in force when they asked, or a named chain of it."""

    kind: Literal["reassign_requested"] = "reassign_requested"
    policy_version: str
    chain: str | None = None
    """None for that of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReached(AnySignal):
    """A deadline of the ledger came due."""

    kind: Literal["deadline_reached"] = "deadline_reached"
    deadline_id: uuid.UUID
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReported(AnySignal):
    """How a page fared: confirmed by the provider, refused for good, or not through for too long."""

    kind: Literal["delivery_reported"] = "delivery_reported"
    incident_id: uuid.UUID
    delivery_id: uuid.UUID
    provider: Provider
    delivery_kind: DeliveryKind
    ordinal: int
    outcome: Literal["delivered", "refused", "delayed"]
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PathProbed(AnySignal):
    """Tocsin's own heartbeat: travels the whole path and changes nothing."""

    kind: Literal["path_probed"] = "path_probed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequested(Command):
    """Somebody says that it is part of another incident, named by its key."""

    kind: Literal["merge_requested"] = "merge_requested"
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequested(Command):
    """Somebody says that it is no part of the incident it is attached to."""

    kind: Literal["split_requested"] = "split_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRequested(Command):
    """Somebody wants it to take no more alerts, or to take them again."""

    kind: Literal["freeze_requested"] = "freeze_requested"
    frozen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One incident that was attached to another, as it was then."""

    incident_id: uuid.UUID
    number: str
    title: str
    severity: Severity
    tier: ServiceTier
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsAttached(AnySignal):
    """Others were attached to the incident of this key, which begins with the first of them where it is a storm's."""

    kind: Literal["incidents_attached"] = "incidents_attached"
    incidents: tuple[Collected, ...]
    title: str
    """This and the rest are of the storm's incident."""
    summary: str
    service: str
    environment: str
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsChanged(AnySignal):
    """A maintenance window that may hold a page of this incident has another end, or is over. POLICY 21."""

    kind: Literal["holds_changed"] = "holds_changed"


Signal = (
    AlertsReported
    | IncidentDeclared
    | AcknowledgeRequested
    | EscalateRequested
    | ResolveRequested
    | UpdateRequested
    | SeverityRequested
    | DeadlineReached
    | DeliveryReported
    | PathProbed
    | RoleRequested
    | ChecklistTickRequested
    | ReassignRequested
    | MergeRequested
    | SplitRequested
    | FreezeRequested
    | IncidentsAttached
    | HoldsChanged
)


_SIGNALS: TypeAdapter[Signal] = TypeAdapter(Annotated[Signal, Field(discriminator="kind")])


def encode_signal(signal: AnySignal) -> bytes:
    """JSON, as it stands on the topic."""
    return wire.encode(signal)


def decode_signal(value: bytes | None) -> Signal:
    """A record of `incident.signals`. Raises Unreadable."""
    return wire.decode(_SIGNALS, value)
