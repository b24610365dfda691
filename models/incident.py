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
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from models import escalation
from models.alert import Alert
from models.events import (
    Acknowledged,
    AlertsJoined,
    AlertsMuted,
    AlertsResolved,
    AlertsSeen,
    AlertsWentStale,
    DeadlinePassed,
    Event,
    GroupTruncated,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    ReclassificationPlanned,
    SeverityChanged,
    UpdatePosted,
)
from models.policy import Policy
from models.severity import Severity
from models.signals import (
    AcknowledgeRequested,
    AlertsReported,
    DeadlineReached,
    DeliveryReported,
    EscalateRequested,
    IncidentDeclared,
    PathProbed,
    ResolveRequested,
    SeverityRequested,
    Signal,
    UpdateRequested,
    Via,
)
from models.state import ACKNOWLEDGE, RECLASSIFY, STALE, AlertState, Incident, evolve

__all__ = ["Incident", "decide", "evolve"]

TOCSIN = "tocsin"
"""Who did it when no person did."""


def decide(incident: Incident | None, signal: Signal, policy: Policy, now: datetime) -> list[Event]:
    """The events that follow from `signal` at `now` (UTC, never before the incident's last event); none when it is
    stale.
    """
    match signal:
        case AlertsReported():
            return _alerts(incident, signal, policy, now)
        case IncidentDeclared():
            return [] if incident is not None and incident.is_open else _declared(incident, signal, policy, now)
        case PathProbed():
            return []
        case DeadlineReached():
            return [] if incident is None else _deadline(incident, signal, policy, now)
        case DeliveryReported():
            return (
                []
                if _is_stale(incident, signal.incident_id)
                else escalation.reported(_open(incident), signal, policy, now)
            )
        case (
            AcknowledgeRequested() | EscalateRequested() | ResolveRequested() | UpdateRequested() | SeverityRequested()
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


# --- alerts


def _alerts(incident: Incident | None, signal: AlertsReported, policy: Policy, now: datetime) -> list[Event]:
    muted = {} if incident is None else incident.muted
    firing = tuple(a for a in signal.alerts if a.status == "firing" and muted.get(a.fingerprint) != a.starts_at)
    if incident is not None and incident.is_open:
        return _more_alerts(incident, signal, firing, policy, now)
    quiet = signal.classification.severity is Severity.INFO and not signal.classification.pending
    news: list[Event] = []
    if incident is not None and (gone := _gone(incident, signal)):
        news.append(AlertsResolved(fingerprints=gone))
    if not firing or quiet:
        return news
    if incident is None or incident.resolved_at is None or now - incident.resolved_at > policy.reopen_within:
        return [*news, *_opened(incident, signal, firing, policy, now)]
    return [*news, *_reopened(incident, signal, firing, policy, now)]


def _reopened(
    incident: Incident, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    worse = signal.classification.severity.worse_than(incident.severity)
    return [
        IncidentReopened(why=f"{signal.title} fires again"),
        *_truncation(incident, signal),
        AlertsJoined(group=signal.group, alerts=firing, stale_due=now + policy.stale_after),
        *(_raised(incident, signal, policy, now, pages=False) if worse else []),
        *_planned(incident, signal),
        *_first_page(incident, signal, "reopened", policy, now),
    ]


def _opened(
    before: Incident | None, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    opening = IncidentOpened(
        incident_id=uuid.uuid5(signal.id, "incident"),
        key=signal.key,
        generation=before.generation + 1 if before else 1,
        number="",
        title=signal.title,
        summary=signal.summary,
        service=signal.service,
        environment=signal.environment,
        tier=signal.classification.tier,
        severity=signal.classification.severity,
        priority=signal.classification.priority,
        why=signal.classification.why,
        links=signal.links,
        started_at=min(alert.starts_at for alert in firing),
        policy_version=signal.policy_version,
        by=signal.sender,
        previous=before.id if before else None,
        incident_kind=signal.classification.kind,
    )
    fresh = evolve(None, opening, now)
    joined = AlertsJoined(group=signal.group, alerts=firing, stale_due=now + policy.stale_after)
    muted = _still_muted(before, signal)
    return [
        opening,
        *([AlertsMuted(alerts=muted)] if muted else []),
        *_truncation(fresh, signal),
        joined,
        *_planned(fresh, signal),
        *_first_page(fresh, signal, "opened", policy, now),
    ]


def _still_muted(before: Incident | None, signal: AlertsReported) -> Mapping[str, datetime]:
    """What a person silenced in the generation before, and nobody has seen resolved yet."""
    if before is None:
        return {}
    gone = _gone(before, signal)
    return {fingerprint: since for fingerprint, since in before.muted.items() if fingerprint not in gone}


def _first_page(
    incident: Incident, signal: AlertsReported, reason: escalation.PageReason, policy: Policy, now: datetime
) -> list[Event]:
    priority = min(incident.priority, signal.classification.priority)
    severity = min(incident.severity, signal.classification.severity, key=lambda found: found.rank)
    if not policy.pages(priority):
        return []
    return [escalation.page(incident, 0, reason, TOCSIN, policy.acknowledgement_clock(severity, priority), policy, now)]


def _more_alerts(
    incident: Incident, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    events: list[Event] = [*_truncation(incident, signal)]
    stale_due = now + policy.stale_after
    if new := tuple(alert for alert in firing if not _knows(incident, alert)):
        events.append(AlertsJoined(group=signal.group, alerts=new, stale_due=stale_due))
    elif firing:
        events.append(AlertsSeen(stale_due=stale_due))
    if gone := _gone(incident, signal):
        events.append(AlertsResolved(fingerprints=gone))
    if signal.classification.severity.worse_than(incident.peak):
        events += _raised(incident, signal, policy, now)
    events += _planned(incident, signal)
    after = incident
    for event in events:
        after = evolve(after, event, now)
    if (incident.firing or incident.unlisted) and not (after.firing or after.unlisted):
        events.append(_resolution(after, TOCSIN, "alertmanager", "every alert has resolved", policy, now))
    return events


def _knows(incident: Incident, alert: Alert) -> bool:
    known = incident.alerts.get(alert.fingerprint)
    return known is not None and known.firing and known.starts_at == alert.starts_at


def _gone(incident: Incident, signal: AlertsReported) -> tuple[str, ...]:
    """Alerts that resolved: those that say so, and all of a group that is resolved as a whole. Missing is not
    resolved.
    """
    listed = {alert.fingerprint for alert in signal.alerts if alert.status == "resolved"}
    whole = signal.group_status == "resolved"

    def resolves(fingerprint: str, alert: AlertState) -> bool:
        waited_for = alert.firing or fingerprint in incident.muted
        return waited_for and (fingerprint in listed or (whole and alert.group == signal.group))

    inherited = (fingerprint for fingerprint in incident.muted if fingerprint not in incident.alerts)
    return (
        *(fingerprint for fingerprint, alert in incident.alerts.items() if resolves(fingerprint, alert)),
        *(fingerprint for fingerprint in inherited if fingerprint in listed),
    )


def _truncation(incident: Incident, signal: AlertsReported) -> list[Event]:
    unlisted = signal.truncated > 0 and signal.group_status == "firing"
    if unlisted == (signal.group in incident.unlisted):
        return []
    return [GroupTruncated(group=signal.group, unlisted=unlisted)]


def _raised(
    incident: Incident, signal: AlertsReported, policy: Policy, now: datetime, *, pages: bool = True
) -> list[Event]:
    found = signal.classification
    return _to_severity(incident, found.severity, found.why, policy, now, pages=pages) if _fires(signal) else []


def _fires(signal: AlertsReported) -> bool:
    return any(alert.status == "firing" for alert in signal.alerts)


def _to_severity(  # noqa: PLR0913 (who, what, why and under which policy)
    incident: Incident,
    severity: Severity,
    why: tuple[str, ...],
    policy: Policy,
    now: datetime,
    *,
    by: str = TOCSIN,
    pages: bool,
) -> list[Event]:
    priority = policy.priority(severity, incident.tier)
    events: list[Event] = [SeverityChanged(severity=severity, priority=priority, why=why, by=by)]
    if pages and policy.pages(priority) and (not policy.pages(incident.priority) or priority < incident.priority):
        clock = policy.acknowledgement_clock(severity, priority)
        events.append(escalation.page(incident, 0, "severity raised", by, clock, policy, now))
    return events


def _planned(incident: Incident, signal: AlertsReported) -> list[Event]:
    """What is waited for now: this group's conditions replace its former ones; those of other groups go on."""
    theirs = [pending for pending in incident.pending if pending.group != signal.group]
    ours = [replace(pending, group=signal.group) for pending in signal.classification.pending] if _fires(signal) else []
    pending = tuple(sorted([*theirs, *ours], key=lambda pending: (pending.due_at, pending.severity.rank)))
    return [] if pending == incident.pending else [ReclassificationPlanned(pending=pending)]


# --- people


def _declared(before: Incident | None, signal: IncidentDeclared, policy: Policy, now: datetime) -> list[Event]:
    opening = IncidentOpened(
        incident_id=uuid.uuid5(signal.id, "incident"),
        key=signal.key,
        generation=before.generation + 1 if before else 1,
        number="",
        title=signal.title,
        summary=signal.summary,
        service=signal.service,
        environment=signal.environment,
        tier=signal.tier,
        severity=signal.severity,
        priority=signal.priority,
        why=(f"declared {signal.severity} by {signal.by}",),
        links={},
        started_at=now,
        policy_version=signal.policy_version,
        by=signal.by,
        previous=before.id if before else None,
    )
    if not policy.pages(signal.priority):
        return [opening]
    clock = policy.acknowledgement_clock(signal.severity, signal.priority)
    return [opening, escalation.page(evolve(None, opening, now), 0, "opened", signal.by, clock, policy, now)]


def _command(
    incident: Incident,
    signal: AcknowledgeRequested | EscalateRequested | ResolveRequested | UpdateRequested | SeverityRequested,
    policy: Policy,
    now: datetime,
) -> list[Event]:
    match signal:
        case AcknowledgeRequested(by=by, via=via):
            return [Acknowledged(by=by, via=via)] if incident.status == "triggered" else []
        case EscalateRequested(by=by, level=level):
            return escalation.escalated(incident, level, by, policy, now)
        case ResolveRequested(by=by, via=via, note=note):
            muted = {fingerprint: incident.alerts[fingerprint].starts_at for fingerprint in incident.firing}
            mute: list[Event] = [AlertsMuted(alerts=muted)] if muted else []
            return [*mute, _resolution(incident, by, via, note, policy, now)]
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
            changed = _to_severity(incident, severity, why, policy, now, by=by, pages=True)
            # Also after the chain's end, when only its loud last message waits for somebody.
            paged = ACKNOWLEDGE in incident.deadlines or (incident.current_page and policy.pages(incident.priority))
            waited_for = paged and not policy.pages(policy.priority(severity, incident.tier))
            return [*changed, Acknowledged(by=by, via=via)] if waited_for else changed
        case _:
            assert_never(signal)


def _resolution(incident: Incident, by: str, via: Via, note: str, policy: Policy, now: datetime) -> IncidentResolved:
    """Over; with a postmortem's deadline for the severities that need one, sooner after a long outage. POLICY 22."""
    rules = policy.review
    lasted = now - incident.opened_at
    within = rules.long_outage_within if lasted > rules.long_outage else rules.within
    due = now + within if incident.severity in rules.severities else None
    owner = incident.taken_by or rules.owner
    return IncidentResolved(by=by, via=via, note=note, postmortem_due=due, postmortem_owner=owner)


# --- deadlines


def _deadline(incident: Incident, signal: DeadlineReached, policy: Policy, now: datetime) -> list[Event]:
    armed = incident.deadlines.get(signal.name)
    if armed is None or armed.id != signal.deadline_id:
        return []
    passed = DeadlinePassed(name=signal.name)
    if signal.name == ACKNOWLEDGE:
        return [passed, escalation.next_level(incident, "not acknowledged", policy, now)]
    if signal.name == RECLASSIFY:
        return [passed, *_reclassified(incident, policy, now)]
    if signal.name == STALE:
        return [passed, AlertsWentStale(stale_due=now + policy.stale_after)]
    return [passed]


def _reclassified(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """The condition has lasted: severity rises by itself, and pages anew where the new one pages. POLICY 1."""
    reached = [pending for pending in incident.pending if pending.due_at <= now]
    later = tuple(pending for pending in incident.pending if pending.due_at > now)
    events: list[Event] = []
    if reached and incident.firing:
        worst = min(reached, key=lambda pending: pending.severity.rank)
        if worst.severity.worse_than(incident.peak):
            events += _to_severity(incident, worst.severity, (worst.why,), policy, now, pages=True)
            later = tuple(pending for pending in later if pending.severity.worse_than(worst.severity))
    return [*events, ReclassificationPlanned(pending=later)]
