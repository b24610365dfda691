"""By which channels an incident is told, and what each of them hears of it. POLICY 4, 16, 19.

Pure. A channel that an incident's priority names for the first time is introduced to it; those that know it hear what
happened, to the end, also when the priority falls. A page that does not get through, a call for somebody who has no
pager, and reminders to people are told in Slack whatever the channels are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from models.correlation_events import IncidentDetached
from models.deliveries import PROVIDER_OF, DeliveryKind, Message, Provider
from models.events import Event, IncidentOpened, SeverityChanged
from models.page import Page
from models.policy import Channel, Policy
from models.policy_fields import EMAIL_ADDRESS
from models.severity import Priority
from models.state import Incident

_K = DeliveryKind
Told: TypeAlias = tuple[DeliveryKind, Message | None, Page | None]
_LOUD = {_K.PAGE_FALLBACK, _K.MENTION, _K.REMINDER}
_ALSO: Mapping[DeliveryKind, tuple[tuple[Channel, DeliveryKind], ...]] = {
    _K.NOTICE: (("ticket", _K.TICKET_UPDATE),),
    _K.STATUS_UPDATE: (("email", _K.EMAIL_UPDATE), ("ticket", _K.TICKET_UPDATE)),
    _K.RESOLUTION: (("email", _K.EMAIL_RESOLUTION), ("ticket", _K.TICKET_RESOLUTION)),
}
"""What is told in Slack, and as what elsewhere. A ticket keeps the whole story; a mailbox is spared most of it."""


def known_to(incident: Incident | None, policy: Policy) -> frozenset[Channel]:
    """The channels that have been told of an incident: those of every priority that it has had."""
    if incident is None:
        return frozenset()
    had = frozenset[Channel]().union(*(policy.channels[priority] for priority in (*incident.had, incident.priority)))
    return had - hushed(incident)


def hushed(incident: Incident) -> frozenset[str]:
    """The channels that have not heard of it, because it is attached to an incident that they have heard of."""
    attachment = incident.correlated.attachment
    return attachment.hushes if attachment else frozenset()


def fresh_by(event: Event, known: frozenset[Channel], after: Incident, policy: Policy) -> frozenset[Channel]:
    """The channels that hear of the incident for the first time because of `event`."""
    match event:
        case IncidentOpened(priority=priority) | SeverityChanged(priority=priority):
            return policy.channels[priority] - known - hushed(after)
        case IncidentDetached():
            return known_to(after, policy) - known
        case _:
            return frozenset()


def introduction(incident: Incident, fresh: frozenset[Channel], policy: Policy) -> Iterator[Told]:
    """What channels get that have not heard of the incident before."""
    if "slack" in fresh:
        if incident.peak in policy.communication.incident_channels:
            yield _K.CHANNEL, None, None
        yield _K.ANNOUNCEMENT, None, None
        yield _K.INITIAL_REPORT, None, None
    if "email" in fresh:
        yield from _mailed(_K.EMAIL_REPORT, Message(""), incident, policy)
    if "ticket" in fresh:
        yield _K.TICKET, None, None


def retold(told: Told, known: frozenset[Channel], incident: Incident, policy: Policy) -> Iterator[Told]:
    """What channels that know the incident hear of one thing that is told."""
    kind, message, page = told
    match PROVIDER_OF[kind]:
        case Provider.SLACK:
            if "slack" in known or kind in _LOUD:
                yield told
        case Provider.EMAIL:
            if "email" in known and message is not None:
                yield from _mailed(kind, message, incident, policy)
        case _:
            yield told
    for channel, other in _ALSO.get(kind, ()):
        if channel in known and message is not None:
            yield from _mailed(other, message, incident, policy) if channel == "email" else [(other, message, page)]


def _mailed(kind: DeliveryKind, message: Message, incident: Incident, policy: Policy) -> Iterator[Told]:
    """One for each address, so that a full mailbox holds up nobody else and nobody is mailed twice."""
    for address in recipients(incident.service, policy) or (None,):
        yield kind, replace(message, to=address), None


def recipients(service: str, policy: Policy) -> tuple[str, ...]:
    """Addresses of those whom the policy has mailed, and of the team that owns the service, each once."""
    entry = policy.services.get(service)
    team = policy.teams.get(entry.owner) if entry and entry.owner else None
    members = [policy.people[name].email for name in team.members] if team else []
    usable = (address for address in (*policy.communication.email, *members) if address)
    return tuple(dict.fromkeys(address for address in usable if EMAIL_ADDRESS.fullmatch(address)))


def unmailed(policy: Policy) -> tuple[Priority, ...]:
    """Priorities that are told by e-mail, though of some service nobody would be mailed."""
    if policy.communication.email or (policy.services and all(recipients(name, policy) for name in policy.services)):
        return ()
    return tuple(priority for priority in Priority if "email" in policy.channels[priority])
