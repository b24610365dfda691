"""Which handoffs are due to be told, which services they are about, and what is sent because of one. POLICY 11.

Pure. Up to which instant each schedule's handoffs were told is the store's to remember; what a note holds:
models/oncall/handoff.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from models.deliveries import Delivery, DeliveryKind, Message, Urgency
from models.oncall.handoff import HandoffFacts, HandoffNote, IncidentFacts, handoff_note
from models.oncall.schedule import Handoff, handoffs, next_handoff
from models.policy import Policy

LATEST: Final = timedelta(hours=24)
"""How long after a handoff its note is still worth reading."""
_LOOKING_BACK = tuple(timedelta(days=days) for days in (8, 64, 400))
"""How far the handoff before is looked for: most are within a week."""
_NOTES: Final = uuid.UUID("6f1c8f0e-3b1a-5c55-8a0e-0f4e2f6f7c11")
_K = DeliveryKind


@dataclass(frozen=True, slots=True)
class DueNote:
    """A handoff that has taken place and was not told. `since` is the handoff before it."""

    schedule: str
    handoff: Handoff
    since: datetime


def due_notes(policy: Policy, told_upto: Mapping[str, datetime], now: datetime) -> list[DueNote]:
    """The last handoff of each schedule that nobody was told of: older ones, after an outage of ours, are history. A
    schedule whose calendar could not be read is not judged.
    """
    found = []
    for name in judged(policy):
        upto = told_upto.get(name)
        passed = _handoffs(policy, name, max(upto, now - LATEST), now) if upto else []
        if passed:
            found.append(DueNote(name, passed[-1], _before(policy, name, passed[-1])))
    return found


def judged(policy: Policy) -> list[str]:
    """The schedules of which it is known who is on call."""
    return [name for name, one in policy.schedules.items() if not one.ical or name in policy.imported]


def concerns(policy: Policy, schedule: str, service: str) -> bool:
    """Whether a service is a matter of those on call by a schedule: their team owns it, or its chain pages them."""
    teams = {name for name, team in policy.teams.items() if team.schedule == schedule}
    entry = policy.services.get(service)
    targets = [target for level in policy.chain(service).levels for target in level.paged]
    return bool(entry and entry.owner in teams) or any(
        target.schedule == schedule or target.team in teams for target in targets
    )


def deliveries(due: DueNote, incidents: Mapping[str, list[IncidentFacts]], policy: Policy) -> list[Delivery]:
    """The note in Slack, and a mail for each who leaves or comes and has an address and no Slack. `incidents` come by
    service. Ids derive from the handoff, so it is told once whoever finds it.
    """
    rules = policy.schedules[due.schedule]
    following = next_handoff(rules, due.handoff.at, policy.imported.get(due.schedule))
    theirs = [one for service, some in incidents.items() if concerns(policy, due.schedule, service) for one in some]
    facts = HandoffFacts(
        due.schedule, rules.zone, due.handoff, due.since, following.at if following else None, tuple(theirs)
    )
    note = handoff_note(facts)
    people = {name: person for name in note.tell if (person := policy.people.get(name))}
    note = replace(note, mentions={name: person.slack for name, person in people.items() if person.slack})
    told = [_delivery(note, _K.HANDOFF, Message("", slack_channel=policy.communication.slack_channel))]
    changing = (*note.leaving, *note.coming)
    mailed = [one.email for name in changing if (one := people.get(name)) and one.email and not one.slack]
    return [*told, *(_delivery(note, _K.EMAIL_HANDOFF, Message("", to=to)) for to in dict.fromkeys(mailed))]


def _handoffs(policy: Policy, name: str, start: datetime, end: datetime) -> list[Handoff]:
    return [handoff for _, handoff in handoffs({name: policy.schedules[name]}, start, end, policy.imported)]


def _before(policy: Policy, name: str, handoff: Handoff) -> datetime:
    """When those who leave came, or the gap began that ends now."""
    looks: Iterator[list[Handoff]] = (_handoffs(policy, name, handoff.at - span, handoff.at) for span in _LOOKING_BACK)
    found = next(filter(None, looks), None)
    if found:
        return found[-1].at
    return handoff.at - _LOOKING_BACK[-1] if handoff.leaving else handoff.at


def _delivery(note: HandoffNote, kind: DeliveryKind, message: Message) -> Delivery:
    lane = f"handoff/{note.schedule}"
    return Delivery(
        id=uuid.uuid5(_NOTES, f"{note.schedule}/{note.at.isoformat()}/{kind}/{message.to or ''}"),
        incident_id=None,
        incident_key=lane,
        kind=kind,
        lane=f"{lane}/{message.to}" if message.to else lane,
        urgency=Urgency.PROMPT,
        message=message,
        handoff=note,
    )
