"""A frozen incident takes no more alerts: those it does not know go to an incident of a key beside its own. POLICY 7.

Pure. What was handed on once goes there until it has been seen resolved, also after the incident is over, so that
nothing waits for a resolution that nobody forwards.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

from models.alert import Alert
from models.correlation_events import AlertsHandedOn, IncidentFrozen
from models.events import Event
from models.severity import Classification
from models.signals import AlertsReported, FreezeRequested
from models.state import Incident


def frozen(incident: Incident, signal: FreezeRequested) -> list[Event]:
    """A person freezes it, or lets it take alerts again."""
    if incident.correlated.frozen is signal.frozen:
        return []
    return [IncidentFrozen(frozen=signal.frozen, by=signal.by)]


def beside(incident: Incident) -> str:
    """The key that takes what a frozen incident does not. No part of a key holds a `+`, they are quoted."""
    return f"{incident.key}+{incident.generation}"


def handed_on(incident: Incident, signal: AlertsReported, now: datetime) -> tuple[AlertsReported, list[Event]]:
    """What is left of a report for the incident itself, and what goes elsewhere."""
    known = incident.correlated.elsewhere
    closed = incident.correlated.frozen and not incident.is_over(now)
    if not known and not closed:
        return signal, []
    mine: list[Alert] = []
    others: dict[str, list[Alert]] = defaultdict(list)
    for alert in signal.alerts:
        place = known.get(alert.fingerprint)
        strange = closed and alert.status == "firing" and alert.fingerprint not in incident.firing
        if place is not None:
            others[place.key].append(alert)
        elif strange:
            others[beside(incident)].append(alert)
        else:
            mine.append(alert)
    if signal.group_status == "resolved":
        for place in known.values():
            if place.group == signal.group:
                others.setdefault(place.key, [])
    events: list[Event] = [
        AlertsHandedOn(to=key, report=replace(signal, alerts=tuple(alerts))) for key, alerts in others.items()
    ]
    found = _left(incident, signal.classification) if closed and others else signal.classification
    return replace(signal, alerts=tuple(mine), classification=found), events


def _left(incident: Incident, found: Classification) -> Classification:
    """How bad a report is without what went elsewhere. There it is as bad as the whole of it, so that this one grows no
    worse, and waits for no more than it did.
    """
    known = {(one.severity, one.due_at) for one in incident.pending}
    pending = tuple(one for one in found.pending if (one.severity, one.due_at) in known)
    return replace(found, severity=max(found.severity, incident.peak, key=lambda one: one.rank), pending=pending)
