"""The incident that stands for a storm, and every other that collects what is attached to it. POLICY 7.

Pure, a part of `decide`. A storm's incident begins with the first incident that was attached to it, is as severe as the
worst of them, and ends by itself once none of them is open.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from urllib.parse import quote, unquote

from models import escalation
from models.correlation_events import IncidentsCollected, StormGoesOn
from models.escalation import TOCSIN
from models.events import Event, IncidentOpened, IncidentReopened
from models.evolution import evolve
from models.generation import opening, resolution
from models.ourselves import OURSELVES
from models.policy import Policy
from models.severity import Classification, worst
from models.signals import Collected, IncidentsAttached
from models.state import Incident
from models.surroundings import Surroundings

_STORM = "tocsin/storm/"


def storm_key(environment: str) -> str:
    """The key of the incident that stands for a storm."""
    return _STORM + quote(environment, safe=" ")


def stormy(key: str) -> str | None:
    """The environment whose storm has this key; None for any other incident."""
    environment = key.removeprefix(_STORM)
    return None if environment == key or "/" in environment else unquote(environment)


def collected(incident: Incident | None, signal: IncidentsAttached, policy: Policy, now: datetime) -> list[Event]:
    """What others that were attached mean for the incident that pages for them."""
    is_storm = stormy(signal.key) is not None
    told = IncidentsCollected(
        incidents=signal.incidents, calm_due=now + policy.correlation.look_again if is_storm else None
    )
    if incident is not None and incident.is_open:
        return [told, *(_worse(incident, signal, policy, now) if is_storm else ())]
    if not is_storm:
        return []
    if incident is None or incident.is_over(now):
        opened = _opened(incident, signal, policy, now)
        fresh = evolve(None, opened, now)
        return [opened, told, *escalation.first_level(fresh, escalation.Cause("opened"), policy, now)]
    reopened = IncidentReopened(why="more incidents have begun at once")
    raised = _worse(incident, signal, policy, now, pages=False)
    state = incident
    for event in (reopened, *raised):
        state = evolve(state, event, now)
    return [reopened, told, *raised, *escalation.first_level(state, escalation.Cause("reopened"), policy, now)]


def _opened(before: Incident | None, signal: IncidentsAttached, policy: Policy, now: datetime) -> IncidentOpened:
    found = _classified(signal, policy)
    return opening(before, signal, found, by=TOCSIN, started_at=now, links={})


def _classified(signal: IncidentsAttached, policy: Policy) -> Classification:
    severity = worst([one.severity for one in signal.incidents])
    tier = min(one.tier for one in signal.incidents)
    priority = policy.priority(severity, tier)
    why = (
        signal.incidents[0].why,
        f"the worst of them is {severity}",
        f"{severity} on tier {tier.value} is {priority}",
    )
    return Classification(severity, priority, tier, why, ())


def _worse(
    incident: Incident, signal: IncidentsAttached, policy: Policy, now: datetime, *, pages: bool = True
) -> list[Event]:
    """It is as severe as the worst that it has collected."""
    found = _classified(signal, policy)
    if not found.severity.worse_than(incident.peak):
        return []
    return escalation.to_severity(incident, found.severity, found.why, policy, now, pages=pages)


def calmed(incident: Incident, policy: Policy, now: datetime, around: Surroundings) -> list[Event]:
    """It is over once nothing that it has collected is open."""
    still = around.attached.get(incident.key, 0)
    if still:
        return [StormGoesOn(open=still, calm_due=now + policy.correlation.look_again)]
    return [resolution(incident, TOCSIN, "tocsin", "everything that it has collected is over", policy, now)]


def collecting(
    key: str, incidents: tuple[Collected, ...], signal_id: uuid.UUID, policy_version: str
) -> IncidentsAttached:
    """The signal that tells the incident of `key` what was attached to it."""
    environment = stormy(key) or ""
    return IncidentsAttached(
        id=signal_id,
        key=key,
        incidents=incidents,
        title=f"Many incidents at once in {environment}" if environment else "Many incidents at once",
        summary="Each is listed and pages nobody while this one is open, unless it is a SEV1.",
        service=OURSELVES,
        environment=environment,
        policy_version=policy_version,
    )
