"""A person gives an incident the policy in force now, or another chain of it: the one way in which a policy that was
changed touches what is open. docs/decisions/0039.

Pure. Whoever is paged already is not paged again: their clock is counted anew from when they could know.
"""

from __future__ import annotations

from datetime import datetime

from models import escalation, paging
from models.deadlines import ACKNOWLEDGE, ACKNOWLEDGEMENT
from models.escalation_events import PolicyReassigned
from models.events import Event
from models.evolution import evolve
from models.policy import Policy
from models.signals import ReassignRequested
from models.state import Incident


def reassigned(incident: Incident, asked: ReassignRequested, policy: Policy, now: datetime) -> list[Event]:
    """What follows; `policy` is the one that is asked for. Nothing for what holds already, and for an unknown chain."""
    known = asked.chain is None or asked.chain in policy.chains
    if not known or (asked.policy_version, asked.chain) == (incident.policy_version, incident.chain):
        return []
    step = _place(incident, asked.chain, policy, now)
    taken = PolicyReassigned(
        policy_version=asked.policy_version,
        was=incident.policy_version,
        chain=asked.chain,
        by=asked.by,
        step=step or 0,
        acknowledge_due=escalation.due_by_now(incident, policy, now) if step is not None else None,
        expires_due=_expires_due(incident, policy, now),
    )
    after = evolve(incident, taken, now)
    pages = policy.pages(incident.priority) or ACKNOWLEDGE in incident.deadlines
    if step is not None or incident.status != "triggered" or incident.parent is not None or not pages:
        return [taken]
    return [taken, *escalation.page(after, 0, escalation.Cause("reassigned", asked.by), policy, now)]


def _place(incident: Incident, chain: str | None, policy: Policy, now: datetime) -> int | None:
    """Where in the chain the level stands that is waited for; None where it is not there, or reaches others."""
    levels = policy.chain(incident.service, chain).levels
    waited_for = incident.current_pages if ACKNOWLEDGE in incident.deadlines else ()
    for place, level in enumerate(levels):
        if waited_for and level.name == waited_for[0].level:
            reached = {one.way for one in paging.reached(level, incident.service, policy, now).recipients}
            return place if any(page.is_sent and page.way in reached for page in waited_for) else None
    return None


def _expires_due(incident: Incident, policy: Policy, now: datetime) -> datetime | None:
    """When whoever has it is asked again, counted from their last word; None where nothing of that is waited for."""
    if ACKNOWLEDGEMENT not in incident.deadlines:
        return None
    told_at = max(filter(None, (incident.acknowledged_at, incident.last_update_at)), default=now)
    due = escalation.expires_due(incident, policy, told_at)
    return max(now, due) if due else None
