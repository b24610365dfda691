"""Events about which incidents belong together: attached, on its own again, collected, frozen, handed on. POLICY 7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.severity import ServiceTier, Severity
from models.signals import AlertsReported, Collected

AttachReason = Literal["dependency", "severity", "storm", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAttached:
    """It belongs to another incident, which pages for both; looked at again at `look_again_due`."""

    kind: Literal["incident_attached"] = "incident_attached"
    parent: str
    """The other's key; its `number` may be empty where it is only just beginning."""
    number: str
    reason: AttachReason
    why: str
    hushes: tuple[str, ...]
    """Channels that hear nothing of it while it is attached, because they have not heard of it yet."""
    severity: Severity
    tier: ServiceTier
    look_again_due: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentStands:
    """The other incident is still open."""

    kind: Literal["attachment_stands"] = "attachment_stands"
    look_again_due: datetime
    number: str = ""
    """Of the other one, which had none yet when it was attached to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDetached:
    """It is on its own again, and pages for itself where its priority does."""

    kind: Literal["incident_detached"] = "incident_detached"
    why: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsCollected:
    """Others were attached to this one. A storm looks at `calm_due` whether it is over."""

    kind: Literal["incidents_collected"] = "incidents_collected"
    incidents: tuple[Collected, ...]
    calm_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StormGoesOn:
    """Some of what a storm has collected is still open."""

    kind: Literal["storm_goes_on"] = "storm_goes_on"
    open: int
    calm_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFrozen:
    """It takes no more alerts (`frozen`), or takes them again."""

    kind: Literal["incident_frozen"] = "incident_frozen"
    frozen: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsHandedOn:
    """Alerts that a frozen incident does not take went to the incident of another key."""

    kind: Literal["alerts_handed_on"] = "alerts_handed_on"
    to: str
    report: AlertsReported
    """What it was told, with those alerts alone."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where an alert is that its incident does not take: the key, and the group that it came with."""

    key: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsElsewhere:
    """What the generation before has handed on and nobody has seen resolved yet, by fingerprint."""

    kind: Literal["alerts_elsewhere"] = "alerts_elsewhere"
    alerts: Mapping[str, Elsewhere]


CorrelationEvent = (
    IncidentAttached
    | AttachmentStands
    | IncidentDetached
    | IncidentsCollected
    | StormGoesOn
    | IncidentFrozen
    | AlertsHandedOn
    | AlertsElsewhere
)
