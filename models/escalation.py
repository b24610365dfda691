"""The escalation chain: who is paged next, when their clock runs out, and what a page's fate means. POLICY 8, 9.

Pure. A clock starts when people can know: at a page's receipt, at the latest the policy's `receipt_within` after the
decision, so that an outage of ours never pages several levels in one instant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models import paging
from models.deadlines import ACKNOWLEDGE, WAKE
from models.escalation_events import (
    AcknowledgementStands,
    EscalationExhausted,
    LevelPaged,
    LevelSkipped,
    NobodyOnCall,
    PageFailed,
    PageHeld,
    PageReason,
    PageReceived,
)
from models.events import Event, SeverityChanged
from models.evolution import evolve
from models.oncall.business import wake_at
from models.page import Recipient
from models.policy import Policy
from models.severity import Severity
from models.signals import DeliveryReported, EscalateRequested
from models.state import Incident

_NO_CLOCK = timedelta(hours=1)
"""For a level that a person pages on an incident whose priority has no clock."""
_ONE_PRESS = timedelta(seconds=1)
"""Who presses so soon after another has not seen what the other did."""

TOCSIN = "tocsin"
"""Who did it when no person did."""
_BEGINNINGS = frozenset({"opened", "reopened", "severity raised", "business hours", "detached", "maintenance over"})
"""With these the experts are called too."""
LAST_RESORT = "last resort"
"""The name of the level that stands in for a chain that reaches nobody."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a level is paged, and by whom."""

    reason: PageReason
    by: str = TOCSIN


def first_level(incident: Incident, cause: Cause, policy: Policy, now: datetime) -> list[Event]:
    """The page that an incident begins with, where its priority pages at all. POLICY 4, 19."""
    return page(incident, 0, cause, policy, now) if policy.pages(incident.priority) else []


def page(incident: Incident, step: int, cause: Cause, policy: Policy, now: datetime) -> list[Event]:
    """The page of the level at `step`, counted on through the rounds of the chain, or of the next that reaches
    anybody; what is passed over is said. When a whole round reaches nobody the last resort is paged.
    """
    asked = cause.reason == "escalated"
    until = now if asked else wake_at(policy.calendar(incident.service), incident.severity, now)
    if until > now:
        return [PageHeld(step=step, until=until)]
    chain = policy.chain(incident.service, incident.chain)
    count = len(chain.levels)
    last = min(step + count, count * chain.rounds)
    skipped: list[LevelSkipped] = []
    for at in range(step, last):
        level = chain.levels[at % count]
        if not asked and incident.severity not in level.severities:
            continue
        found = paging.reached(level, incident.service, policy, now)
        if found.recipients:
            to = found.recipients
            if cause.reason in _BEGINNINGS:
                to = paging.with_experts(to, incident.kind, incident.service, policy, now)
            return [*skipped, _paged(incident, (at, level.name), to, cause, policy, now)]
        skipped.append(LevelSkipped(step=at, level=level.name, reason="; ".join(found.lacking)))
    if last - step < count:
        return [*skipped, EscalationExhausted(pages=len(incident.pages))]
    return [*skipped, *_last_resort(incident, last - 1, skipped, cause, policy, now)]


def _last_resort(
    incident: Incident, step: int, skipped: list[LevelSkipped], cause: Cause, policy: Policy, now: datetime
) -> list[Event]:
    resort = paging.last_resort(policy.chain(incident.service, incident.chain))
    empty = NobodyOnCall(levels=tuple(one.level for one in skipped), last_resort=resort is not None)
    if resort is None:
        return [empty, EscalationExhausted(pages=len(incident.pages))]
    return [empty, _paged(incident, (step, LAST_RESORT), (resort,), cause, policy, now)]


def _paged(
    incident: Incident,
    place: tuple[int, str],
    recipients: tuple[Recipient, ...],
    cause: Cause,
    policy: Policy,
    now: datetime,
) -> LevelPaged:
    confirmed = any(one.is_sent for one in recipients)
    begins = now + policy.chain(incident.service, incident.chain).receipt_within if confirmed else now
    step, level = place
    return LevelPaged(
        ordinal=len(incident.pages) + 1,
        step=step,
        level=level,
        routing_key=recipients[0].routing_key,
        reason=cause.reason,
        by=cause.by,
        acknowledge_due=acknowledge_due(incident, policy, begins),
        recipients=recipients,
    )


def next_level(incident: Incident, reason: PageReason, policy: Policy, now: datetime) -> list[Event]:
    """The page of the next level, or the end of the chain when its rounds are used up."""
    chain = policy.chain(incident.service, incident.chain)
    step = incident.step + 1
    if step >= len(chain.levels) * chain.rounds:
        return [EscalationExhausted(pages=len(incident.pages))]
    return page(incident, step, Cause(reason), policy, now)


def escalated(incident: Incident, asked: EscalateRequested, policy: Policy, now: datetime) -> list[Event]:
    """A person pages the named level, or the next one; its clock starts anew. Nothing follows from an unknown level,
    nor from what was asked before the page that is the last one now: that page is the answer.
    """
    chain = policy.chain(incident.service, incident.chain)
    names = [known.name for known in chain.levels]
    level = asked.level
    if _is_answered(incident, asked) or (level is not None and level not in names):
        return []
    if level is not None:
        step = names.index(level)
    elif incident.pages:
        step = (incident.step + 1) % (len(names) * chain.rounds)
    else:
        step = 0
    return page(incident, step, Cause("escalated", asked.by), policy, now)


def _is_answered(incident: Incident, asked: EscalateRequested) -> bool:
    if asked.asked_at is None or incident.paged_at is None:
        return False
    if incident.escalated_at is not None and asked.level in {None, incident.pages[-1].level}:
        return asked.asked_at < max(incident.paged_at, incident.escalated_at + _ONE_PRESS)
    return asked.asked_at < incident.paged_at


def to_severity(  # noqa: PLR0913 (who, what, why and under which policy)
    incident: Incident,
    severity: Severity,
    why: tuple[str, ...],
    policy: Policy,
    now: datetime,
    *,
    by: str = TOCSIN,
    pages: bool = True,
    within: timedelta | None = None,
) -> list[Event]:
    """A new severity with the priority that the matrix makes of it; a page, where that is more urgent. POLICY 4."""
    priority = policy.priority(severity, incident.tier)
    changed = SeverityChanged(severity=severity, priority=priority, why=why, by=by, acknowledge_within=within)
    held = WAKE in incident.deadlines
    if not pages or (policy.pages(incident.priority) and priority >= incident.priority and not held):
        return [_sooner(incident, changed, policy, now)]
    return [changed, *first_level(evolve(incident, changed, now), Cause("severity raised", by), policy, now)]


def _sooner(incident: Incident, changed: SeverityChanged, policy: Policy, now: datetime) -> SeverityChanged:
    """Whoever is paged already is not paged again, but has no longer than the new severity gives. POLICY 8."""
    armed = incident.deadlines.get(ACKNOWLEDGE)
    if armed is None:
        return changed
    due = due_by_now(evolve(incident, changed, now), policy, now)
    return replace(changed, acknowledge_due=due) if due < armed.due_at else changed


def due_by_now(incident: Incident, policy: Policy, now: datetime) -> datetime:
    """When the clock of the level that is waited for is over, by what holds now: counted from when they could know."""
    within = policy.chain(incident.service, incident.chain).receipt_within
    begins = incident.heard_at or ((incident.paged_at or now) + within)
    return max(now, acknowledge_due(incident, policy, begins))


def reported(incident: Incident, signal: DeliveryReported, policy: Policy, now: datetime) -> list[Event]:
    """What a page's fate means: the first receipt of a step starts its clock; when all that a step sent is refused for
    good the next level is paged at once.
    """
    paged = next((known for known in incident.pages if known.ordinal == signal.ordinal), None)
    if paged is None or paged.received or paged.failed:
        return []
    beside = [one for one in incident.current_pages if one is not paged]
    waiting = paged in incident.current_pages
    if signal.outcome == "delivered":
        at = min(signal.at, now)
        first = ACKNOWLEDGE in incident.deadlines and waiting
        first = first and not any(one.received or not one.is_sent for one in beside)
        return [
            PageReceived(
                ordinal=paged.ordinal, acknowledge_due=acknowledge_due(incident, policy, at) if first else None
            )
        ]
    final = signal.outcome == "refused"
    failed = PageFailed(ordinal=paged.ordinal, level=paged.level, reason=signal.detail, final=final)
    if not (final and waiting) or not all(one.failed for one in beside):
        return [failed]
    return [failed, *next_level(evolve(incident, failed, now), "page not deliverable", policy, now)]


def woken(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """Business hours have begun, or maintenance is over: who was not woken is paged now, if it still pages anybody.
    POLICY 11, 21.
    """
    cause = Cause("maintenance over" if incident.held_by else "business hours")
    return page(incident, incident.held_step, cause, policy, now) if policy.pages(incident.priority) else []


def expires_due(incident: Incident, policy: Policy, now: datetime) -> datetime | None:
    """When an acknowledgement given at `now` is looked at again; None where it stands for good."""
    within = policy.acknowledgement_expires.get(incident.severity)
    return now + within if within and policy.pages(incident.priority) else None


def asked_again(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """Whoever took it has had their time: without an update since, the level is paged once more."""
    if incident.status != "acknowledged":
        return []
    told_at = max(filter(None, (incident.acknowledged_at, incident.last_update_at)), default=now)
    due = expires_due(incident, policy, told_at)
    if due is None:
        return []
    if due > now:
        return [AcknowledgementStands(expires_due=due)]
    return page(incident, incident.step, Cause("acknowledgement expired"), policy, now)


def acknowledge_due(incident: Incident, policy: Policy, begins: datetime) -> datetime:
    """When a level's clock that begins then is over. POLICY 8."""
    due = policy.acknowledge_due(incident.service, incident.severity, incident.priority, begins)
    own = [begins + incident.acknowledge_within] if incident.acknowledge_within else []
    return min([*own, *([due] if due else [])], default=begins + _NO_CLOCK)
