"""The escalation chain: who is paged next, when their clock runs out, and what a page's fate means. POLICY 8, 9.

Pure. A clock starts when people can know: at a page's receipt, at the latest the policy's `receipt_within` after the
decision, so that an outage of ours never pages several levels in one instant.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from models.events import EscalationExhausted, Event, LevelPaged, PageFailed, PageReason, PageReceived, SeverityChanged
from models.policy import Policy
from models.severity import Severity
from models.signals import DeliveryReported
from models.state import Incident

_NO_CLOCK = timedelta(hours=1)
"""For a level that a person pages on an incident whose priority has no clock."""

__all__ = ["PageReason", "escalated", "next_level", "page", "reported", "to_severity"]

TOCSIN = "tocsin"
"""Who did it when no person did."""


def page(  # noqa: PLR0913 (a page is: of what, whom, why, by whom, with which clock)
    incident: Incident, step: int, reason: PageReason, by: str, clock: timedelta | None, policy: Policy, now: datetime
) -> LevelPaged:
    """The page of the level at `step`, counted on through the rounds of the chain."""
    levels = policy.escalation.levels
    level = levels[step % len(levels)]
    return LevelPaged(
        ordinal=len(incident.pages) + 1,
        step=step,
        level=level.name,
        routing_key=level.routing_key,
        reason=reason,
        by=by,
        acknowledge_due=now + policy.escalation.receipt_within + (clock or _NO_CLOCK),
    )


def next_level(incident: Incident, reason: PageReason, policy: Policy, now: datetime) -> Event:
    """The page of the next level, or the end of the chain when its rounds are used up."""
    step = incident.step + 1
    if step >= len(policy.escalation.levels) * policy.escalation.rounds:
        return EscalationExhausted(pages=len(incident.pages))
    return page(incident, step, reason, TOCSIN, _clock(incident, policy), policy, now)


def escalated(incident: Incident, level: str | None, by: str, policy: Policy, now: datetime) -> list[Event]:
    """A person pages the named level, or the next one; its clock starts anew. An unknown level decides to nothing."""
    names = [known.name for known in policy.escalation.levels]
    if level is not None and level not in names:
        return []
    if level is not None:
        step = names.index(level)
    elif incident.pages:
        step = (incident.step + 1) % (len(names) * policy.escalation.rounds)
    else:
        step = 0
    return [page(incident, step, "escalated", by, _clock(incident, policy), policy, now)]


def to_severity(  # noqa: PLR0913 (who, what, why and under which policy)
    incident: Incident,
    severity: Severity,
    why: tuple[str, ...],
    policy: Policy,
    now: datetime,
    *,
    by: str = TOCSIN,
    pages: bool = True,
) -> list[Event]:
    """A new severity with the priority that the matrix makes of it; a page, where that is more urgent. POLICY 4."""
    priority = policy.priority(severity, incident.tier)
    events: list[Event] = [SeverityChanged(severity=severity, priority=priority, why=why, by=by)]
    if pages and policy.pages(priority) and (not policy.pages(incident.priority) or priority < incident.priority):
        clock = policy.acknowledgement_clock(severity, priority)
        events.append(page(incident, 0, "severity raised", by, clock, policy, now))
    return events


def reported(incident: Incident, signal: DeliveryReported, policy: Policy, now: datetime) -> list[Event]:
    """What a page's fate means: its receipt starts the clock; one refused for good goes to the next level at once."""
    paged = next((known for known in incident.pages if known.ordinal == signal.ordinal), None)
    if paged is None or paged.received or paged.failed:
        return []
    waiting = incident.current_page is paged
    if signal.outcome == "delivered":
        at = min(signal.at, now)
        due = at + (_clock(incident, policy) or _NO_CLOCK) if waiting else None
        return [PageReceived(ordinal=paged.ordinal, acknowledge_due=due)]
    final = signal.outcome == "refused"
    failed = PageFailed(ordinal=paged.ordinal, level=paged.level, reason=signal.detail, final=final)
    if not (final and waiting):
        return [failed]
    return [failed, next_level(incident, "page not deliverable", policy, now)]


def _clock(incident: Incident, policy: Policy) -> timedelta | None:
    return policy.acknowledgement_clock(incident.severity, incident.priority)
