"""What follows from the alerts that an incident is told of: it opens, grows, gets worse, reopens, or is over.

Pure, a part of `decide` (models/incident.py). Alerts that a person's resolve has muted are as if they did not fire. An
alert that is merely missing from a message has not resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from models import escalation
from models.alert import Alert
from models.events import (
    AlertsJoined,
    AlertsMuted,
    AlertsResolved,
    AlertsSeen,
    Event,
    GroupTruncated,
    IncidentReopened,
    ReclassificationPlanned,
)
from models.generation import opening, resolution
from models.policy import Policy
from models.severity import Severity
from models.signals import AlertsReported
from models.state import AlertState, Incident, evolve


def reported(incident: Incident | None, signal: AlertsReported, policy: Policy, now: datetime) -> list[Event]:
    """What a report of alerts means for the incident of their key, if it has had one."""
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
    started_at = min(alert.starts_at for alert in firing)
    opened = opening(before, signal, signal.classification, by=signal.sender, started_at=started_at, links=signal.links)
    fresh = evolve(None, opened, now)
    joined = AlertsJoined(group=signal.group, alerts=firing, stale_due=now + policy.stale_after)
    muted = _still_muted(before, signal)
    return [
        opened,
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
    return [
        escalation.page(
            incident, 0, reason, escalation.TOCSIN, policy.acknowledgement_clock(severity, priority), policy, now
        )
    ]


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
        events.append(resolution(after, escalation.TOCSIN, "alertmanager", "every alert has resolved", policy, now))
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
    return (
        escalation.to_severity(incident, found.severity, found.why, policy, now, pages=pages) if _fires(signal) else []
    )


def _fires(signal: AlertsReported) -> bool:
    return any(alert.status == "firing" for alert in signal.alerts)


def _planned(incident: Incident, signal: AlertsReported) -> list[Event]:
    """What is waited for now: this group's conditions replace its former ones; those of other groups go on."""
    theirs = [pending for pending in incident.pending if pending.group != signal.group]
    ours = [replace(pending, group=signal.group) for pending in signal.classification.pending] if _fires(signal) else []
    pending = tuple(sorted([*theirs, *ours], key=lambda pending: (pending.due_at, pending.severity.rank)))
    return [] if pending == incident.pending else [ReclassificationPlanned(pending=pending)]
