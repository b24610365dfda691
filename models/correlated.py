"""Which incidents belong together: the part of an incident's state that is about it. Pure: `evolve` folds events,
`clocks` says which deadlines they arm; what they follow from: models/correlation.py, storms.py, freezing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from models.correlation_events import (
    AlertsElsewhere,
    AlertsHandedOn,
    AttachmentStands,
    AttachReason,
    CorrelationEvent,
    Elsewhere,
    IncidentAttached,
    IncidentDetached,
    IncidentFrozen,
    IncidentsCollected,
    StormGoesOn,
)
from models.deadlines import ATTACHMENT, STORM

CLOCKS = frozenset({ATTACHMENT, STORM})
"""The deadlines that stop when the incident is resolved."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """To another incident, by its key."""

    parent: str
    number: str
    reason: AttachReason
    hushes: frozenset[str]
    """Channels that have heard nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlated:
    """How an incident hangs together with others."""

    attachment: Attachment | None = None
    collected: int = 0
    """How many were ever attached to it."""
    frozen: bool = False
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)
    """Firing alerts that went to another incident, by fingerprint."""


def evolve(known: Correlated, event: CorrelationEvent) -> Correlated:
    """What is known after `event`."""
    match event:
        case IncidentAttached():
            return replace(
                known, attachment=Attachment(event.parent, event.number, event.reason, frozenset(event.hushes))
            )
        case IncidentDetached():
            return replace(known, attachment=None)
        case IncidentsCollected(incidents=incidents):
            return replace(known, collected=known.collected + len(incidents))
        case IncidentFrozen(frozen=frozen):
            return replace(known, frozen=frozen)
        case AlertsHandedOn():
            return replace(known, elsewhere=_handed_on(known.elsewhere, event))
        case AlertsElsewhere(alerts=alerts):
            return replace(known, elsewhere=alerts)
        case AttachmentStands(number=number) if number and known.attachment is not None:
            return replace(known, attachment=replace(known.attachment, number=number))
        case AttachmentStands() | StormGoesOn():
            return known
        case _:
            assert_never(event)


def _handed_on(elsewhere: Mapping[str, Elsewhere], event: AlertsHandedOn) -> Mapping[str, Elsewhere]:
    report = event.report
    whole = report.group_status == "resolved"
    firing = {alert.fingerprint for alert in report.alerts if alert.status == "firing"}
    over = {alert.fingerprint for alert in report.alerts if alert.status == "resolved"}
    kept = {
        fingerprint: place
        for fingerprint, place in elsewhere.items()
        if fingerprint not in over and not (whole and place.group == report.group)
    }
    return {**kept, **{fingerprint: Elsewhere(event.to, report.group) for fingerprint in firing}}


def clocks(event: CorrelationEvent) -> Mapping[str, datetime | None]:
    """When which deadline is due after `event`; None where it is waited for no longer."""
    match event:
        case IncidentAttached(look_again_due=due) | AttachmentStands(look_again_due=due):
            return {ATTACHMENT: due}
        case IncidentDetached():
            return {ATTACHMENT: None}
        case IncidentsCollected(calm_due=due):
            return {} if due is None else {STORM: due}
        case StormGoesOn(calm_due=due):
            return {STORM: due}
        case IncidentFrozen() | AlertsHandedOn() | AlertsElsewhere():
            return {}
        case _:
            assert_never(event)
