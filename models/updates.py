"""The clocks of communication: by when an open incident is to be told of again, and what happens when it is not.
POLICY 12.

Pure. A missed update is reminded before, said aloud when missed, and told to the next level from the second miss on;
it never pages anybody (docs/decisions/0030) and is never waited for once the incident is resolved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from models.coordination_events import PublicationOverdue, UpdateExpected, UpdateMissed, UpdateReminded
from models.correlation_events import IncidentDetached
from models.deadlines import PUBLICATION, UPDATE, UPDATE_REMINDER
from models.deliveries import DeliveryKind, Message
from models.events import Event, IncidentOpened, IncidentReopened, IncidentResolved, SeverityChanged, UpdatePosted
from models.ourselves import OURSELVES
from models.policy import Policy
from models.role import Role
from models.severity import describe
from models.signals import UpdateRequested
from models.state import Incident

CLOCKS = frozenset({UPDATE, UPDATE_REMINDER, PUBLICATION})
_LONGEST = 4
"""So many cadences lie at most between two misses: what is said 96 times a day is not read."""

Nudge = UpdateReminded | UpdateMissed | PublicationOverdue


def posted(incident: Incident, signal: UpdateRequested) -> UpdatePosted:
    """A person tells where things stand; without a stage it stays as it is."""
    return UpdatePosted(
        by=signal.by,
        stage=signal.stage or incident.stage,
        message=signal.message,
        actions=signal.actions,
        next_steps=signal.next_steps,
    )


def expected(incident: Incident | None, events: Sequence[Event], policy: Policy, now: datetime) -> list[Event]:
    """By when the next update is due after `events`: they opened it, told of it or changed its severity."""
    restarts = [
        event
        for event in events
        if isinstance(event, IncidentOpened | IncidentReopened | UpdatePosted | SeverityChanged | IncidentDetached)
    ]
    if not restarts or any(isinstance(event, IncidentResolved) for event in events):
        return []
    opened = next((event for event in restarts if isinstance(event, IncidentOpened)), None)
    about = opened or incident
    if about is None:
        return []
    judged = [event.severity for event in restarts if isinstance(event, IncidentOpened | SeverityChanged)]
    severity = judged[-1] if judged else about.severity
    rules = policy.communication
    within = rules.update_within.get(severity)
    every = rules.status_page_every.get(severity) if about.service != OURSELVES else None
    if within is None and every is None and (opened or incident is None or CLOCKS.isdisjoint(incident.deadlines)):
        return []
    return [
        UpdateExpected(
            reminder_due=now + within - min(rules.remind_before_update, within / 2) if within else None,
            update_due=now + within if within else None,
            publication_due=now + every if every else None,
        )
    ]


def reached(incident: Incident, policy: Policy, now: datetime, *, clock: str) -> list[Event]:
    """What follows when one of `CLOCKS` runs out."""
    rules = policy.communication
    due, within = incident.coordination.next_update_due, rules.update_within.get(incident.severity)
    if clock == PUBLICATION:
        every = rules.status_page_every.get(incident.severity)
        return [PublicationOverdue(publication_due=now + every)] if every else []
    if due is None or within is None:
        return []
    if clock == UPDATE_REMINDER and now < due:
        return [UpdateReminded(update_due=due)]
    missed = incident.coordination.updates_missed + 1
    told = "" if missed == 1 else beyond(incident, missed - 1, policy)
    return [UpdateMissed(missed=missed, was_due=due, level=told, update_due=now + within * min(missed, _LONGEST))]


def beyond(incident: Incident, steps: int, policy: Policy) -> str:
    """The level that stands `steps` (from 1) beyond the one that was paged last; the last one at the end."""
    levels = policy.chain(incident.service, incident.chain).levels
    paged = incident.step % len(levels) if incident.pages else -1
    return levels[min(paged + steps, len(levels) - 1)].name


def told(event: Nudge, incident: Incident, policy: Policy) -> Iterator[tuple[DeliveryKind, Message]]:
    """To whom it is said: first where the incident is worked on, then, when missed, where everybody reads."""
    match event:
        case UpdateReminded(update_due=due):
            text = f"The next update is due at {due:%H:%M} UTC: `tocsin update {incident.number} …`"
            yield DeliveryKind.NOTICE, addressed(text, leading(incident), policy)
        case PublicationOverdue():
            every = policy.communication.status_page_every.get(incident.severity)
            old = describe(every) if every else "a while"
            text = f"The public entry has said nothing new for {old}: `tocsin update {incident.number} …`"
            yield DeliveryKind.NOTICE, addressed(text, leading(incident), policy)
        case UpdateMissed(missed=missed, was_due=was_due, level=level):
            text = f"{incident.number} ({incident.severity}, {incident.title[:200]}): the update due at {was_due:%H:%M}"
            text += " UTC is missing" if missed == 1 else f" UTC is missing, the {nth(missed)} in a row"
            by = f" {leading(incident)} has it." if leading(incident) and level else ""
            text += f".{by} Post one with `tocsin update {incident.number} …`"
            yield DeliveryKind.REMINDER, addressed(text, level or leading(incident), policy, everybody=incident)


def leading(incident: Incident) -> str | None:
    """Who has to see to it: the commander, else who took it last."""
    return incident.coordination.roles.get(Role.INCIDENT_COMMANDER) or incident.taken_by


def addressed(text: str, name: str | None, policy: Policy, *, everybody: Incident | None = None) -> Message:
    """A message that mentions `name`; for everybody it goes to the channel where the incident was announced."""
    person = policy.people.get(name) if name else None
    entry = policy.services.get(everybody.service) if everybody else None
    channel = (entry and entry.slack_channel) or policy.communication.slack_channel
    return Message(text, mention=name, mention_id=person.slack if person else None, slack_channel=channel)


def nth(count: int) -> str:
    """`2nd`, `3rd`, `11th`."""
    ending = "th" if count % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"
