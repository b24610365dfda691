"""Which other incident pages for one: those that could be its parent, and whether the one it has still is. POLICY 7.

Pure, a part of models/correlation.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from models import maintenance_holds
from models.correlation_events import AttachReason
from models.oncall.business import wake_at
from models.policy import Policy
from models.severity import Severity, describe
from models.state import Incident
from models.storms import storm_key
from models.surroundings import Neighbour, Surroundings


def candidates(
    state: Incident, policy: Policy, around: Surroundings, now: datetime
) -> Iterator[tuple[str, str, AttachReason, str]]:
    """The incidents that page for `state`, the best first: key, number, reason and why."""
    rules = policy.correlation
    for service in policy.depends_on(state.service) if rules.by_dependency else ():
        known = around.worst.get((state.environment, service))
        if known and policy.pages(known.priority) and _covers(known, state, policy, around, now):
            yield known.key, known.number, "dependency", f"{state.service} depends on {service}"
    worse = around.worst.get((state.environment, state.service)) if rules.by_severity else None
    if (
        worse
        and policy.pages(worse.priority)
        and worse.severity.worse_than(state.severity)
        and _covers(worse, state, policy, around, now)
    ):
        yield worse.key, worse.number, "severity", f"{state.service} has a {worse.severity} already"
    storm = rules.storm
    begun = around.begun.get(state.environment, 0)
    held = maintenance_holds.holding(state, around.windows, now)  # what pages nobody shall not page by way of a storm
    if storm and begun >= storm.incidents and state.severity is not Severity.SEV1 and not held:
        yield (
            storm_key(state.environment),
            "",
            "storm",
            f"{begun} incidents or more began within {describe(storm.within)}",
        )


def _covers(other: Neighbour, state: Incident, policy: Policy, around: Surroundings, now: datetime) -> bool:
    """True when whoever is paged for `other` comes at least as fast and for something at least as bad."""
    if _waits(other, policy, around, now) and not _waits(state, policy, around, now):
        return False
    return other.key != state.key and other.priority <= state.priority and not state.severity.worse_than(other.severity)


def _waits(one: Neighbour | Incident, policy: Policy, around: Surroundings, now: datetime) -> bool:
    """True while nobody is paged for it, because of maintenance or after hours."""
    opens = wake_at(policy.calendar(one.service), one.severity, now)
    return opens > now or maintenance_holds.holding(one, around.windows, now) is not None


def stands(state: Incident, policy: Policy, around: Surroundings, now: datetime, *, worse: bool = False) -> bool:
    """Whether the other still pages for it. A person who merged is right until it is `worse` than it was then."""
    parent, attachment = around.by_key.get(state.parent or ""), state.correlated.attachment
    if parent is None or attachment is None or parent.parent == state.key:  # each into the other, by two workers
        return False
    if attachment.reason == "merged" and not worse:
        return True
    swallows = attachment.reason == "storm" and state.severity is Severity.SEV1
    return _covers(parent, state, policy, around, now) and not swallows
