"""What follows from the alerts that an incident is told of: it opens, grows, gets worse, reopens, or is over.

Pure, a part of `decide` (models/incident.py). Alerts that a person's resolve has muted are as if they did not fire. An
alert that is merely missing from a report has not resolved. Reports may arrive late: of two that contradict each other
the one received later is right (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce

from models import escalation, flapping, freezing
from models.alert import Alert
from models.correlation_events import AlertsElsewhere
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
from models.evolution import evolve
from models.generation import opening
from models.known_alerts import KnownAlerts, MutedAlert
from models.policy import Policy
from models.severity import Classification, Severity
from models.signals import AlertsReported
from models.state import Incident

_NOTHING_KNOWN = KnownAlerts()


def reported(incident: Incident | None, signal: AlertsReported, policy: Policy, now: datetime) -> list[Event]:
    """What a report of alerts means for the incident of their key, if it has had one."""
    if incident is None:
        return _reported(None, signal, policy, now)
    left, handed_on = freezing.handed_on(incident, signal, now)
    if handed_on and not left.alerts and signal.group_status == "firing":
        return handed_on
    return [*handed_on, *_reported(_after(incident, handed_on, now), left, policy, now)]


def _reported(incident: Incident | None, signal: AlertsReported, policy: Policy, now: datetime) -> list[Event]:
    known = incident.alerts if incident else _NOTHING_KNOWN
    alerts = tuple(alert for alert in signal.alerts if not known.overrules(alert, signal.received_at))
    if signal.alerts and not alerts and signal.group_status == "firing":
        return []
    report = replace(signal, alerts=alerts)
    firing = tuple(alert for alert in alerts if alert.status == "firing" and not known.silences(alert))
    if incident is not None and incident.is_open:
        return _more_alerts(incident, report, firing, policy, now)
    quiet = signal.classification.severity is Severity.INFO and not signal.classification.pending
    news = _resolved(known, report)
    if not firing or quiet:
        return news
    if incident is None or incident.is_over(now):
        return [*news, *_opened(incident, report, firing, policy, now)]
    return [*news, *_reopened(incident, report, firing, policy, now)]


def _opened(
    before: Incident | None, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    started_at = min(alert.starts_at for alert in firing)
    opened = opening(before, signal, signal.classification, by=signal.sender, started_at=started_at, links=signal.links)
    fresh = evolve(None, opened, now)
    muted = _still_muted(before.alerts, signal) if before else {}
    elsewhere = before.correlated.elsewhere if before else {}
    return [
        opened,
        *([AlertsElsewhere(alerts=elsewhere)] if elsewhere else []),
        *([AlertsMuted(alerts=muted)] if muted else []),
        *_truncation(fresh, signal),
        _joined(signal, firing, policy, now),
        *_planned(fresh, signal, firing),
        *escalation.first_level(fresh, escalation.Cause("opened"), policy, now),
    ]


def _still_muted(before: KnownAlerts, signal: AlertsReported) -> Mapping[str, MutedAlert]:
    """What a person silenced in the generation before, and nobody has seen resolved yet."""
    gone = _ended(before, signal)
    return {fingerprint: muted for fingerprint, muted in before.muted.items() if fingerprint not in gone}


def _reopened(
    incident: Incident, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    found = signal.classification
    worse = found.severity.worse_than(incident.severity)
    events: list[Event] = [
        IncidentReopened(why=f"{signal.title} fires again"),
        *_truncation(incident, signal),
        _joined(signal, firing, policy, now),
        *(_raised(incident, found, policy, now, pages=False) if worse else []),
        *_planned(incident, signal, firing),
    ]
    reopened = _after(incident, events, now)
    return [*events, *escalation.first_level(reopened, escalation.Cause("reopened"), policy, now)]


def _more_alerts(
    incident: Incident, signal: AlertsReported, firing: tuple[Alert, ...], policy: Policy, now: datetime
) -> list[Event]:
    found = signal.classification
    events: list[Event] = [*_truncation(incident, signal)]
    if new := tuple(alert for alert in firing if not incident.alerts.fires(alert)):
        events.append(_joined(signal, new, policy, now))
    elif firing or (signal.truncated > 0 and signal.group_status == "firing"):
        events.append(AlertsSeen(stale_due=now + policy.stale_after))
    events += _resolved(incident.alerts, signal)
    if firing and found.severity.worse_than(incident.peak):
        events += _raised(incident, found, policy, now)
    events += _planned(incident, signal, firing)
    after = _after(incident, events, now)
    if _waits(incident.alerts) and not _waits(after.alerts):
        events.append(flapping.all_resolved(after, policy, now))
    return events


def _raised(
    incident: Incident, found: Classification, policy: Policy, now: datetime, *, pages: bool = True
) -> list[Event]:
    within = found.acknowledge_within
    return escalation.to_severity(incident, found.severity, found.why, policy, now, pages=pages, within=within)


def _waits(alerts: KnownAlerts) -> bool:
    return bool(alerts.firing or alerts.unlisted)


def _after(incident: Incident, events: Iterable[Event], now: datetime) -> Incident:
    return reduce(lambda state, event: evolve(state, event, now), events, incident)


def _joined(signal: AlertsReported, alerts: tuple[Alert, ...], policy: Policy, now: datetime) -> AlertsJoined:
    due = now + policy.stale_after
    return AlertsJoined(group=signal.group, alerts=alerts, received_at=signal.received_at, stale_due=due)


def _resolved(known: KnownAlerts, signal: AlertsReported) -> list[Event]:
    gone = _ended(known, signal)
    return [AlertsResolved(fingerprints=gone, received_at=signal.received_at)] if gone else []


def _ended(known: KnownAlerts, signal: AlertsReported) -> tuple[str, ...]:
    """Alerts that resolved: those that say so, and all of a group that is resolved as a whole."""
    listed = [alert.fingerprint for alert in signal.alerts if alert.status == "resolved"]
    whole = signal.group if signal.group_status == "resolved" else None
    return known.ended_by(listed, whole, signal.received_at)


def _truncation(incident: Incident, signal: AlertsReported) -> list[Event]:
    unlisted = signal.truncated > 0 and signal.group_status == "firing"
    if unlisted == (signal.group in incident.alerts.unlisted):
        return []
    return [GroupTruncated(group=signal.group, unlisted=unlisted)]


def _planned(incident: Incident, signal: AlertsReported, firing: tuple[Alert, ...]) -> list[Event]:
    """What is waited for now: this group's conditions replace its former ones; those of other groups go on."""
    theirs = [pending for pending in incident.pending if pending.group != signal.group]
    ours = [replace(pending, group=signal.group) for pending in signal.classification.pending] if firing else []
    pending = tuple(sorted([*theirs, *ours], key=lambda pending: (pending.due_at, pending.severity.rank)))
    return [] if pending == incident.pending else [ReclassificationPlanned(pending=pending)]
