"""Alerts that come and go: an incident that was reopened too often stays open until its alerts have been calm for a
while, so that nobody is paged for every turn. Pure; docs/decisions/0036.

What is held has a deadline, so nothing is forgotten; a severity that is worse than before, and people, go first. What
is attached to another incident pages nobody, and so is never held: it would page once that one is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from models import correlation
from models.deadlines import CALM
from models.deliveries import DeliveryKind, Message
from models.events import AlertsJoined, Event, GroupTruncated, IncidentReopened, IncidentResolved
from models.flapping_events import CalmBroken, FlappingBegan, FlappingEvent, ResolutionHeld
from models.generation import resolution
from models.policy import Policy
from models.severity import describe
from models.state import Incident

_TOCSIN = "tocsin"


def all_resolved(incident: Incident, policy: Policy, now: datetime) -> Event:
    """No alert of an open incident fires any more: it is over, or held where it flaps."""
    if incident.flaps.since is not None and policy.flapping is not None and incident.parent is None:
        return ResolutionHeld(calm_due=now + policy.flapping.calm)
    return resolution(incident, _TOCSIN, "alertmanager", "every alert has resolved", policy, now)


def followed(incident: Incident | None, events: Sequence[Event], policy: Policy, now: datetime) -> list[Event]:
    """What `events` mean for the flapping: one reopening too many begins it, and a new firing ends a calm."""
    if incident is None or policy.flapping is None or any(isinstance(event, IncidentResolved) for event in events):
        return []
    found: list[Event] = []
    joined = any(_fires(event) for event in events)
    reopened = joined and any(isinstance(event, IncidentReopened) for event in events)
    if reopened and not correlation.is_attached(incident, events):
        rules = policy.flapping
        lately = [at for at in (*incident.flaps.reopened, now) if now - at <= rules.within]
        if len(lately) >= rules.reopens:
            found.append(FlappingBegan(reopens=len(lately), since=lately[0], calm=describe(rules.calm)))
    if joined and CALM in incident.deadlines:
        found.append(CalmBroken())
    return found


def _fires(event: Event) -> bool:
    return isinstance(event, AlertsJoined) or (isinstance(event, GroupTruncated) and event.unlisted)


def calm(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """It has been calm for long enough: it is over."""
    note = "every alert has resolved, and none has fired again"
    return [resolution(incident, _TOCSIN, "alertmanager", note, policy, now)] if incident.is_open else []


def told(event: FlappingEvent) -> Iterator[tuple[DeliveryKind, Message | None]]:
    """Said once: every turn of an alert would be what this is there to prevent."""
    if isinstance(event, FlappingBegan):
        yield DeliveryKind.NOTICE, Message(words(event))
        yield DeliveryKind.EMAIL_NOTICE, Message(words(event))
    yield DeliveryKind.REFRESH, None


def words(event: FlappingEvent) -> str:
    """One line."""
    match event:
        case FlappingBegan(reopens=reopens, since=since, calm=span):
            return (
                f"Flapping: reopened {reopens} times since {since:%H:%M} UTC. From now on it stays open, and pages "
                f"nobody anew, until its alerts have been calm for {span}; resolve it if it is over"
            )
        case ResolutionHeld(calm_due=due):
            return f"every alert has resolved; it is over at {due:%Y-%m-%d %H:%M:%S} UTC, if none fires again"
        case CalmBroken():
            return "an alert fired again before it had been calm for long enough"
        case _:
            assert_never(event)
