"""What follows from a signal: `decide(incident, signal, policy, now) -> events`; `evolve` (models/state.py) applies
them.

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
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
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
from models.deadlines import ACKNOWLEDGE, ACKNOWLEDGEMENT, ATTACHMENT, CALM, COMMANDER, RECLASSIFY, STALE, STORM, WAKE
from models.events import (
    Acknowledged,
    AlertsMuted,
    AlertsWentStale,
    DeadlinePassed,
    Event,
    ReclassificationPlanned,
    UpdatePosted,
)
from models.generation import opening, resolution
from models.known_alerts import MutedAlert
from models.policy import Policy
from models.severity import Classification, Severity, describe
from models.signals import (
    AcknowledgeRequested,
    AlertsReported,
    ChecklistTickRequested,
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
from models.state import Incident, evolve
from models.surroundings import NOTHING_AROUND, Surroundings

__all__ = ["Incident", "decide", "evolve"]


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
            return [] if incident is None else _deadline(incident, signal, policy, now, around)
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
        case (
            AcknowledgeRequested()
            | EscalateRequested()
            | ResolveRequested()
            | UpdateRequested()
            | SeverityRequested()
            | RoleRequested()
            | ReassignRequested()
            | SplitRequested()
            | FreezeRequested()
        ):
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


def _command(  # noqa: C901, PLR0911 (one arm per command is the point)
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
            firing = {fingerprint: incident.alerts.states[fingerprint] for fingerprint in incident.firing}
            muted = {fingerprint: MutedAlert(it.starts_at, it.group) for fingerprint, it in firing.items()}
            mute: list[Event] = [AlertsMuted(alerts=muted)] if muted else []
            return [*mute, resolution(incident, by, via, note, policy, now)]
        case UpdateRequested(by=by, stage=stage, message=message):
            return [
                UpdatePosted(
                    by=by,
                    stage=stage or incident.stage,
                    message=message,
                    actions=signal.actions,
                    next_steps=signal.next_steps,
                )
            ]
        case SeverityRequested(by=by, via=via, severity=severity, reason=reason):
            if severity is incident.severity or severity is Severity.INFO:
                return []
            why = (f"{reason} ({by})",)
            changed = escalation.to_severity(incident, severity, why, policy, now, by=by)
            # Also after the chain's end, when only its loud last message waits for somebody.
            paged = ACKNOWLEDGE in incident.deadlines or (incident.current_pages and policy.pages(incident.priority))
            waited_for = paged and not policy.pages(policy.priority(severity, incident.tier))
            return [*changed, Acknowledged(by=by, via=via)] if waited_for else changed
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


def _deadline(
    incident: Incident, signal: DeadlineReached, policy: Policy, now: datetime, around: Surroundings
) -> list[Event]:
    armed = incident.deadlines.get(signal.name)
    if armed is None or armed.id != signal.deadline_id:
        return []
    passed = DeadlinePassed(name=signal.name)
    if (looks := _LOOKS.get(signal.name)) is not None:
        return [passed, *looks(incident, policy, now, around)]
    follows = _REACHED.get(signal.name)
    return [passed, *(follows(incident, policy, now) if follows else ())]


def _unacknowledged(incident: Incident, policy: Policy, now: datetime) -> Sequence[Event]:
    return escalation.next_level(incident, "not acknowledged", policy, now)


def _stale(incident: Incident, policy: Policy, now: datetime) -> Sequence[Event]:
    if policy.when_stale == "resolve":
        note = f"nobody has mentioned its alerts for {describe(policy.stale_after)}"
        return [resolution(incident, escalation.TOCSIN, "tocsin", note, policy, now)]
    return [AlertsWentStale(stale_due=now + policy.stale_after)]


def _reclassified(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """The condition has lasted: severity rises by itself, and pages anew where the new one pages. POLICY 1."""
    reached = [pending for pending in incident.pending if pending.due_at <= now]
    later = tuple(pending for pending in incident.pending if pending.due_at > now)
    events: list[Event] = []
    if reached and incident.firing:
        worst = min(reached, key=lambda pending: pending.severity.rank)
        if worst.severity.worse_than(incident.peak):
            why, within = (worst.why,), worst.acknowledge_within
            events += escalation.to_severity(incident, worst.severity, why, policy, now, within=within)
            later = tuple(pending for pending in later if pending.severity.worse_than(worst.severity))
    return [*events, ReclassificationPlanned(pending=later)]


_REACHED: Mapping[str, Callable[[Incident, Policy, datetime], Sequence[Event]]] = {
    ACKNOWLEDGE: _unacknowledged,
    WAKE: escalation.woken,
    ACKNOWLEDGEMENT: escalation.asked_again,
    RECLASSIFY: _reclassified,
    STALE: _stale,
    COMMANDER: roles.reached,
    CALM: flapping.calm,
    **{name: partial(updates.reached, clock=name) for name in updates.CLOCKS},
}
"""What follows when an armed deadline is reached, by its name."""

_LOOKS: Mapping[str, Callable[[Incident, Policy, datetime, Surroundings], Sequence[Event]]] = {
    ATTACHMENT: correlation.looked_again,
    STORM: storms.calmed,
}
"""The same, where other incidents have to be looked at."""
