"""How a generation of an incident begins and ends, and which policy holds. docs/decisions/0005: identity is key and
generation.

Pure; what makes it begin or end is decided in models/incident.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from models.events import IncidentOpened, IncidentResolved
from models.policy import Policy
from models.role import Role
from models.severity import Classification
from models.signals import AlertsReported, IncidentDeclared, IncidentsAttached, ReassignRequested, Signal, Via
from models.state import Incident


def governing(incident: Incident | None, signal: Signal, now: datetime) -> str | None:
    """The version of the policy that `signal` is decided under: the incident's own, and where a new generation may
    begin the one that came with the signal, which the generation keeps. None for a signal without an incident.
    """
    match signal:
        case AlertsReported() if incident is None or incident.is_over(now):
            return signal.policy_version
        case IncidentsAttached() if incident is None or incident.is_over(now):
            return signal.policy_version
        case IncidentDeclared() if incident is None or not incident.is_open:
            return signal.policy_version
        case ReassignRequested() if incident is not None and incident.id == signal.incident_id and incident.is_open:
            return signal.policy_version
        case _:
            return incident.policy_version if incident else None


def opening(
    before: Incident | None,
    signal: AlertsReported | IncidentDeclared | IncidentsAttached,
    found: Classification,
    *,
    by: str,
    started_at: datetime,
    links: Mapping[str, str],
) -> IncidentOpened:
    """The next generation of the signal's key, without its number, which the store gives."""
    return IncidentOpened(
        incident_id=uuid.uuid5(signal.id, "incident"),
        key=signal.key,
        generation=before.generation + 1 if before else 1,
        number="",
        title=signal.title,
        summary=signal.summary,
        service=signal.service,
        environment=signal.environment,
        tier=found.tier,
        severity=found.severity,
        priority=found.priority,
        why=found.why,
        links=links,
        started_at=started_at,
        policy_version=signal.policy_version,
        by=by,
        previous=before.id if before else None,
        incident_kind=found.kind,
        acknowledge_within=found.acknowledge_within,
    )


def resolution(incident: Incident, by: str, via: Via, note: str, policy: Policy, now: datetime) -> IncidentResolved:
    """Over; with a postmortem's deadline where its worst severity needs one, sooner after a long outage. POLICY 22."""
    rules = policy.review
    lasted = now - incident.opened_at
    within = rules.long_outage_within if lasted > rules.long_outage else rules.within
    attachment = incident.correlated.attachment
    alone = attachment is None or attachment.reason == "merged"  # else the other's postmortem is about both
    due = now + within if alone and incident.peak in rules.severities else None
    owner = incident.coordination.roles.get(Role.INCIDENT_COMMANDER) or incident.taken_by or rules.owner
    return IncidentResolved(
        by=by,
        via=via,
        note=note,
        reopen_until=now + policy.reopen_within,
        postmortem_due=due,
        postmortem_owner=owner,
        peak=incident.peak,
    )
