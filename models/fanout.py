"""Who is told what: the deliveries that follow from events. POLICY 9, 16, 17, 18. By which way: models/channels.py.

Pure. All deliveries of one step tell the state at its end, so an announcement already says who was paged. Texts made
here are for people on the team, except those of PUBLICATION, which customers read and which therefore name nothing
internal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models import announcements, correlation_words, escalation_words, flapping, ticks
from models.channels import Told, fresh_by, introduction, known_to, retold
from models.coordination_events import CoordinationEvent
from models.correlation_events import CorrelationEvent
from models.deliveries import PROVIDER_OF, Delivery, DeliveryKind, IncidentFacts, Message, PageFacts, Urgency
from models.escalation_events import EscalationEvent
from models.events import (
    AlertsJoined,
    AlertsResolved,
    AlertsWentStale,
    Event,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    SeverityChanged,
    UpdatePosted,
)
from models.flapping_events import FlappingEvent
from models.ourselves import OURSELVES
from models.page import Page, answerable
from models.policy import Policy
from models.severity import Severity, describe
from models.state import Incident

_K = DeliveryKind
_REFRESH: Told = (_K.REFRESH, None, None)
_URGENT = {
    _K.PAGE: Urgency.PAGE,
    _K.PAGE_ACKNOWLEDGE: Urgency.PAGE,
    _K.PAGE_FALLBACK: Urgency.PAGE,
    _K.MENTION: Urgency.PAGE,
    _K.REFRESH: Urgency.ROUTINE,
}


@dataclass(frozen=True, slots=True)
class Change:
    """An event with its sequence number and the state before it (None before the first)."""

    seq: int
    event: Event
    before: Incident | None


def deliveries(changes: Sequence[Change], after: Incident, policy: Policy, at: datetime) -> tuple[Delivery, ...]:
    """What must be sent because of one step's `changes`, in order; edits in place are merged into one, at the end."""
    facts = incident_facts(after, policy, at)
    told = [(change.seq, what) for change in changes for what in _heard(change, after, policy)]
    posts = [(seq, what) for seq, what in told if what[0] is not _K.REFRESH]
    introduced = {_K.ANNOUNCEMENT, _K.INITIAL_REPORT} <= {what[0] for _, what in posts}  # there is nothing to edit yet
    refreshes = [] if introduced else [(seq, what) for seq, what in told if what[0] is _K.REFRESH][-1:]
    return tuple(
        _delivery(after, facts, f"{seq}/{index}", what) for index, (seq, what) in enumerate([*posts, *refreshes])
    )


def _heard(change: Change, after: Incident, policy: Policy) -> Iterator[Told]:
    known = known_to(change.before, policy)
    yield from introduction(after, fresh_by(change.event, known, after, policy), policy)
    for told in _told(change, after, policy):
        yield from retold(told, known, after, policy)


def _delivery(incident: Incident, facts: IncidentFacts, place: str, what: Told) -> Delivery:
    kind, message, page = what
    lane = incident.dedup_key(page) if page else f"{incident.id}/{PROVIDER_OF[kind]}"
    if kind in {_K.PAGE_FALLBACK, _K.MENTION}:
        lane = f"{lane}/fallback"  # urgent, and needs nothing of what the incident's other messages may be waiting for
    elif message and message.to:
        lane = f"{lane}/{message.to}"  # one mailbox never waits for another
    return Delivery(
        id=uuid.uuid5(incident.id, f"delivery/{place}"),
        incident_id=incident.id,
        incident_key=incident.key,
        kind=kind,
        lane=lane,
        urgency=_URGENT.get(kind, Urgency.PROMPT),
        incident=facts,
        page=_page_facts(page, lane) if page else None,
        message=message,
    )


def _page_facts(page: Page, lane: str) -> PageFacts:
    return PageFacts(page.ordinal, page.level, page.routing_key, lane, email=page.email, webhook=page.webhook)


def _told(change: Change, after: Incident, policy: Policy) -> Iterator[Told]:
    """What is said of an event: each subject has words of its own; here are those of the incident's course."""
    event, before = change.event, change.before
    if isinstance(event, EscalationEvent):
        yield from escalation_words.told(event, after, policy)
    elif isinstance(event, CoordinationEvent):
        yield from ((kind, words, None) for kind, words in announcements.told(event, after, policy))
    elif isinstance(event, CorrelationEvent):
        yield from correlation_words.told(event, before)
    elif isinstance(event, FlappingEvent):
        yield from ((kind, words, None) for kind, words in flapping.told(event))
    else:
        yield from _said(event, before, after, policy)


def _said(event: Event, before: Incident | None, after: Incident, policy: Policy) -> Iterator[Told]:
    match event:
        case IncidentOpened():
            yield from _published(after, policy, "We are investigating a problem.")
        case IncidentReopened(why=why):
            yield _K.ANNOUNCEMENT, None, None
            yield from _news(f"Reopened: {why}")
            yield from _published(after, policy, "The problem has come back. We are investigating.")
            yield _REFRESH
        case SeverityChanged(severity=severity, why=why, by=by):
            yield from _news(f"Severity is now {severity} ({event.priority}): {'; '.join(why)}", by=by)
            if before is not None:
                yield from _raised_to(before.peak, after, policy)
            yield _REFRESH
        case UpdatePosted(by=by, message=message, actions=actions, next_steps=next_steps):
            yield _K.STATUS_UPDATE, Message(message, by=by, actions=actions, next_steps=next_steps), None
            yield from _published(after, policy, message)
            yield _REFRESH
        case AlertsWentStale():
            quiet = describe(policy.stale_after)
            yield from _news(
                f"Nothing has been heard of the firing alerts for {quiet}. Resolve the incident if it is over."
            )
        case AlertsJoined() | AlertsResolved():
            if before is not None and before.pages:
                yield _REFRESH
        case IncidentResolved(by=by, note=note):
            yield from ((_K.PAGE_RESOLVE, None, page) for page in answerable(after.pages))
            yield _K.RESOLUTION, Message(note or "Resolved.", by=by, next_steps=_owed(event)), None
            yield from _published(after, policy, "The problem is resolved.")
            yield _REFRESH
        case _:
            return


def _raised_to(peak: Severity, after: Incident, policy: Policy) -> Iterator[Told]:
    """A channel and a status-page entry for an incident that begins to need them."""
    rules = policy.communication
    if peak not in rules.incident_channels and after.peak in rules.incident_channels:
        yield _K.CHANNEL, None, None
        yield _K.INITIAL_REPORT, None, None
    if peak not in rules.status_page:
        yield from _published(after, policy, "We are investigating a problem.")


def _published(incident: Incident, policy: Policy, text: str) -> Iterator[Told]:
    if incident.peak in policy.communication.status_page and incident.service != OURSELVES:
        yield _K.PUBLICATION, Message(text), None


def _owed(resolved: IncidentResolved) -> str:
    if resolved.postmortem_due is None:
        return ""
    return f"Postmortem due {resolved.postmortem_due:%Y-%m-%d %H:%M} UTC, owner {resolved.postmortem_owner}."


def _notice(text: str, by: str | None = None) -> Told:
    return _K.NOTICE, Message(text, by=by), None


def _news(text: str, by: str | None = None) -> Iterator[Told]:
    """A notice that is worth a mail."""
    yield _notice(text, by)
    yield _K.EMAIL_NOTICE, Message(text, by=by), None


def incident_facts(incident: Incident, policy: Policy, at: datetime) -> IncidentFacts:
    """What messages may tell about `incident` as of `at`."""
    entry = policy.services.get(incident.service)
    return IncidentFacts(
        incident_id=incident.id,
        number=incident.number,
        title=incident.title,
        alertname=incident.alertname,
        summary=incident.summary,
        service=incident.service,
        environment=incident.environment,
        severity=incident.severity,
        priority=incident.priority,
        status=incident.status,
        stage=incident.stage,
        why=incident.why,
        started_at=incident.started_at,
        opened_at=incident.opened_at,
        at=at,
        acknowledged_by=incident.acknowledged_by,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        next_update_due=incident.coordination.next_update_due,
        level=incident.pages[-1].level if incident.pages else None,
        firing=len(incident.firing),
        alerts=incident.alerts.count,
        links=incident.links,
        slack_channel=(entry and entry.slack_channel) or policy.communication.slack_channel,
        own_channel=incident.peak in policy.communication.incident_channels,
        component=entry.component if entry else None,
        checklist=ticks.facts(incident, policy),
        roles={role.words: person for role, person in incident.coordination.roles.items()},
        attached_to=incident.attached_to,
        collected=incident.correlated.collected,
    )
