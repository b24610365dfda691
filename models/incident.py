"""What follows from a signal: `decide(incident, signal, policy, now) -> events`; `evolve` (models/evolution.py)
applies them.

Theory of operation. Both functions are pure: time is an argument, ids derive from what is already known, nothing is
read or sent, so that replaying the signals of a key gives the same log and folding the log gives the same state.

    triggered ──acknowledge──▶ acknowledged ──resolve──▶ resolved ──(fires again within the window)──▶ triggered
        ▲  └────────────────────resolve──────────────────────▶┘
        └── a level is paged: by time, by a person, by a severity that rose (it un-acknowledges)

A signal that is stale, repeated or irrelevant decides to nothing. A deadline is stale by its id, never by comparing
clocks; a command is stale when it names another generation. Identity is key and generation: after the policy's window
a new, linked generation begins and the old one never changes again.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import assert_never

from models import (
    correlation,
    escalation,
    flapping,
    freezing,
    incident_alerts,
    maintenance_holds,
    reassignment,
    roles,
    storms,
    ticks,
    updates,
)
from models.deadlines import ACKNOWLEDGE, WAKE
from models.escalation_events import Acknowledged
from models.events import AlertsMuted, Event
from models.evolution import evolve
from models.generation import opening, resolution
from models.incident_deadlines import reached
from models.known_alerts import MutedAlert
from models.policy import Policy
from models.severity import Classification, Severity
from models.signals import (
    AcknowledgeRequested,
    AlertsReported,
    ChecklistTickRequested,
    Command,
    DeadlineReached,
    DeliveryReported,
    EscalateRequested,
    FreezeRequested,
    HoldsChanged,
    IncidentDeclared,
    IncidentsAttached,
    MergeRequested,
    PathProbed,
    ReassignRequested,
    ResolveRequested,
    RoleRequested,
    SeverityRequested,
    Signal,
    SplitRequested,
    UpdateRequested,
)
from models.state import Incident
from models.surroundings import NOTHING_AROUND, Surroundings


def decide(
    incident: Incident | None,
    signal: Signal,
    policy: Policy,
    now: datetime,
    around: Surroundings = NOTHING_AROUND,
) -> list[Event]:
    """The events that follow from `signal` at `now` (UTC, never before the incident's last event); none when it is
    stale. `around` answers models.correlation.question.
    """
    decided = _decided(incident, signal, policy, now, around)
    alone = correlation.quieted(incident, signal, decided, policy, now, around)
    held = maintenance_holds.withheld(incident, alone, around.windows, now)
    events = [*held, *flapping.followed(incident, held, policy, now)]
    if correlation.is_attached(incident, events):
        return events
    followed = (roles.followed(incident, events, policy, now), updates.expected(incident, events, policy, now))
    return [*events, *(event for part in followed for event in part)]


def _decided(  # noqa: C901, PLR0911 (one arm per signal is the point)
    incident: Incident | None, signal: Signal, policy: Policy, now: datetime, around: Surroundings
) -> list[Event]:
    match signal:
        case AlertsReported():
            return incident_alerts.reported(incident, signal, policy, now)
        case IncidentDeclared():
            return [] if incident is not None and incident.is_open else _declared(incident, signal, policy, now)
        case PathProbed():
            return []
        case ChecklistTickRequested():
            known = incident is not None and incident.id == signal.incident_id  # also after its end
            return [*ticks.ticked(_open(incident), signal, policy)] if known else []
        case DeadlineReached():
            return [] if incident is None else reached(incident, signal, policy, now, around)
        case IncidentsAttached():
            return storms.collected(incident, signal, policy, now)
        case MergeRequested():
            stale = _is_stale(incident, signal.incident_id)
            return [] if stale else correlation.merged(_open(incident), signal, policy, now, around)
        case HoldsChanged():
            held = incident is not None and incident.held_by and WAKE in incident.deadlines
            return escalation.woken(_open(incident), policy, now) if held else []
        case DeliveryReported():
            return (
                []
                if _is_stale(incident, signal.incident_id)
                else escalation.reported(_open(incident), signal, policy, now)
            )
        case Command():
            return [] if _is_stale(incident, signal.incident_id) else _command(_open(incident), signal, policy, now)
        case _:
            assert_never(signal)


def _is_stale(incident: Incident | None, incident_id: uuid.UUID) -> bool:
    return incident is None or incident.id != incident_id or not incident.is_open


def _open(incident: Incident | None) -> Incident:
    if incident is None:
        message = "a signal that is not stale has an incident"
        raise AssertionError(message)
    return incident


def _declared(before: Incident | None, signal: IncidentDeclared, policy: Policy, now: datetime) -> list[Event]:
    why = (f"declared {signal.severity} by {signal.by}",)
    found = Classification(signal.severity, signal.priority, signal.tier, why, (), signal.incident_kind)
    opened = opening(before, signal, found, by=signal.by, started_at=now, links={})
    cause = escalation.Cause("opened", signal.by)
    return [opened, *escalation.first_level(evolve(None, opened, now), cause, policy, now)]


def _command(  # noqa: PLR0911 (one arm per command is the point)
    incident: Incident,
    signal: AcknowledgeRequested
    | EscalateRequested
    | ResolveRequested
    | UpdateRequested
    | SeverityRequested
    | RoleRequested
    | ReassignRequested
    | SplitRequested
    | FreezeRequested,
    policy: Policy,
    now: datetime,
) -> list[Event]:
    match signal:
        case AcknowledgeRequested(by=by, via=via):
            due = escalation.expires_due(incident, policy, now)
            untaken = incident.status == "triggered" or WAKE in incident.deadlines  # or it is to be asked again
            return [Acknowledged(by=by, via=via, expires_due=due)] if untaken else []
        case EscalateRequested():
            return escalation.escalated(incident, signal, policy, now)
        case ResolveRequested(by=by, via=via, note=note):
            return [*_muted(incident), resolution(incident, by, via, note, policy, now)]
        case UpdateRequested():
            return [updates.posted(incident, signal)]
        case SeverityRequested():
            return _judged(incident, signal, policy, now)
        case RoleRequested():
            return roles.assigned(incident, signal)
        case ReassignRequested():
            return reassignment.reassigned(incident, signal, policy, now)
        case SplitRequested():
            return correlation.split(incident, signal, policy, now)
        case FreezeRequested():
            return freezing.frozen(incident, signal)
        case _:
            assert_never(signal)


def _muted(incident: Incident) -> list[Event]:
    """What still fires is silenced until it has been seen resolved, so that it does not open the next generation."""
    firing = {fingerprint: incident.alerts.states[fingerprint] for fingerprint in incident.firing}
    muted = {fingerprint: MutedAlert(it.starts_at, it.group) for fingerprint, it in firing.items()}
    return [AlertsMuted(alerts=muted)] if muted else []


def _judged(incident: Incident, signal: SeverityRequested, policy: Policy, now: datetime) -> list[Event]:
    """As a person says, up or down. Whoever makes it page no more has taken what was waited for. POLICY 6."""
    if signal.severity is incident.severity or signal.severity is Severity.INFO:
        return []
    why = (f"{signal.reason} ({signal.by})",)
    changed = escalation.to_severity(incident, signal.severity, why, policy, now, by=signal.by)
    # Also after the chain's end, when only its loud last message waits for somebody.
    paged = ACKNOWLEDGE in incident.deadlines or (incident.current_pages and policy.pages(incident.priority))
    waited_for = paged and not policy.pages(policy.priority(signal.severity, incident.tier))
    return [*changed, Acknowledged(by=signal.by, via=signal.via)] if waited_for else changed
