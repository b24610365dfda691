"""What follows when a deadline of an incident is reached, by its name.

Pure, a part of `decide` (models/incident.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from models import correlation, escalation, flapping, roles, storms, updates
from models.deadlines import ACKNOWLEDGE, ACKNOWLEDGEMENT, ATTACHMENT, CALM, COMMANDER, RECLASSIFY, STALE, STORM, WAKE
from models.events import AlertsWentStale, DeadlinePassed, Event, ReclassificationPlanned
from models.generation import resolution
from models.policy import Policy
from models.severity import describe
from models.signals import DeadlineReached
from models.state import Incident
from models.surroundings import Surroundings


def reached(
    incident: Incident, signal: DeadlineReached, policy: Policy, now: datetime, around: Surroundings
) -> list[Event]:
    """What `signal` means for an incident that still waits for its deadline; nothing where it is another's by now."""
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
