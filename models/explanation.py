"""Why an incident is what it is, in sentences: which rules spoke, what they saw, what followed. Pure: from its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models import correlation_words, deadlines, escalation_words, flapping
from models.coordination_events import RoleAssigned
from models.correlation_events import CorrelationEvent
from models.deadlines import Deadline
from models.escalation_events import Acknowledged, LevelPaged, LevelSkipped, NobodyOnCall, PageHeld, PolicyReassigned
from models.events import IncidentOpened, IncidentReopened, IncidentResolved, ReclassificationPlanned, SeverityChanged
from models.flapping_events import FlappingEvent
from models.oncall.within import said
from models.policy import Policy
from models.severity import Priority, Severity, describe
from models.state import Incident
from models.step import Logged


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence, and when it came to hold."""

    at: datetime
    text: str


def explain(incident: Incident, log: Sequence[Logged], policy: Policy) -> list[Reason]:
    """The reasons for every decision, in order, and what is waited for now. `policy` is the incident's."""
    told = [Reason(entry.at, text) for entry in log for text in _said(entry.event, incident, policy)]
    armed = sorted(incident.deadlines.values(), key=lambda deadline: deadline.due_at)
    return [*told, *(Reason(incident.last_at, awaited(one)) for one in armed)]


def awaited(deadline: Deadline) -> str:
    """What an armed deadline means, and when."""
    meaning = _AWAITED.get(deadline.name, f"{deadline.name} is due")
    return f"{meaning} {_instant(deadline.due_at)}"


_AWAITED = {
    deadlines.ACKNOWLEDGE: "somebody has to acknowledge by",
    deadlines.ACKNOWLEDGEMENT: "whoever acknowledged is asked again at",
    deadlines.ATTACHMENT: "whether the other still pages for it is looked at again at",
    deadlines.CALM: "it stays open, if nothing fires again, until",
    deadlines.COMMANDER: "somebody has to lead by",
    deadlines.POSTMORTEM: "the postmortem is due",
    deadlines.PUBLICATION: "the status page has to be renewed by",
    deadlines.RECLASSIFY: "its severity is judged again at",
    deadlines.STALE: "if nobody mentions its alerts, they are stale at",
    deadlines.STORM: "whether the storm is over is looked at again at",
    deadlines.UPDATE: "an update has to be posted by",
    deadlines.UPDATE_REMINDER: "people are reminded of the next update at",
    deadlines.WAKE: "what waits for business hours pages at",
}


def consequences(severity: Severity, priority: Priority, policy: Policy) -> Iterator[str]:
    """What the policy wants for an incident of this severity and priority. POLICY 4, 8, 12, 19."""
    yield f"{priority} is told by {', '.join(sorted(policy.channels[priority]))}"
    clock = policy.acknowledgement_clock(severity, priority)
    clocks = ((severity, policy.acknowledge_within.severity), (priority, policy.acknowledge_within.priority))
    by = [f"{level} within {said(spans[level], describe)}" for level, spans in clocks if level in spans]  # type: ignore[index]
    if policy.pages(priority) and clock is not None:
        yield f"to be acknowledged within {describe(clock)} of each page ({', '.join(by)})"
    elif by:
        yield f"nobody is woken; an answer is due: {', '.join(by)}"
    if severity in policy.communication.status_page:
        yield f"{severity} stands on the status page"
    if within := policy.communication.update_within.get(severity):
        yield f"{severity} is updated every {describe(within)}"
    if every := policy.communication.status_page_every.get(severity):
        yield f"the public entry of {severity} is renewed every {describe(every)}"


def about_service(name: str, policy: Policy) -> Iterator[str]:
    """What the catalogue knows of a service."""
    entry = policy.services.get(name)
    if entry is None:
        yield f"{name} is not in the catalogue of services"
        return
    known = (("owner", entry.owner), ("experts", ", ".join(entry.experts)), ("escalation", entry.escalation))
    yield f"{name} is in the catalogue: tier {entry.tier.value}" + "".join(
        f", {key} {one}" for key, one in known if one
    )


def about_kind(name: str, policy: Policy) -> Iterator[str]:
    """What is to be done in incidents of a kind, and who knows about it. POLICY 10, 20."""
    kind = next((one for one in policy.classification.kinds if one.name == name), None)
    if kind is not None and kind.checklist:
        yield f"{name} has the checklist {kind.checklist}"
    if kind is not None and kind.experts:
        yield f"{name} is for the experts of {', '.join(kind.experts)}"


def _said(event: object, incident: Incident, policy: Policy) -> Iterator[str]:  # noqa: C901, PLR0912 (one arm per event is the point)
    level = policy.classification.level_name
    if isinstance(event, CorrelationEvent | FlappingEvent):
        yield flapping.words(event) if isinstance(event, FlappingEvent) else correlation_words.said(event)
        return
    match event:
        case IncidentOpened(severity=severity, priority=priority):
            yield f"opened as {level(severity)}/{priority} by policy {policy.name}, version {event.policy_version}"
            yield from event.why
            yield from about_service(event.service, policy)
            yield from about_kind(event.incident_kind, policy)
            yield from consequences(severity, priority, policy)
        case SeverityChanged(severity=severity, priority=priority, by=by):
            yield f"became {level(severity)}/{priority} by {by}"
            if event.acknowledge_due is not None:
                yield f"now to be acknowledged by {_instant(event.acknowledge_due)}"
            yield from event.why
            yield from consequences(severity, priority, policy)
        case ReclassificationPlanned(pending=pending):
            for one in pending:
                yield f"{level(one.severity)} from {_instant(one.due_at)} on, if it lasts: {one.why}"
        case LevelPaged():
            who, last = escalation_words.who(event), _instant(event.acknowledge_due)
            yield f"{event.level} paged{who}: {event.reason}; to be acknowledged by {last} at the latest"
        case LevelSkipped() | NobodyOnCall() | PageHeld():
            yield escalation_words.passed_over(event)
        case PolicyReassigned():
            yield escalation_words.reassigned(event).lower()
        case IncidentReopened(why=why):
            yield f"reopened within {describe(policy.reopen_within)}: {why}"
        case Acknowledged(by=by, via=via):
            yield f"acknowledged by {by} ({via})"
        case RoleAssigned(role=role, person=person, by=by):
            yield f"{person or 'nobody'} became {role.words} ({by})"
        case IncidentResolved(by=by, note=note, postmortem_due=due):
            yield f"resolved by {by}" + (f": {note}" if note else "")
            if due is not None:
                yield f"having been {incident.peak}, it owes a postmortem by {_instant(due)}"
        case _:
            return


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
