"""How people work together on an incident: the part of its state that is about them. Pure: `evolve` folds events,
`clocks` says which deadlines they arm; what they follow from: models/updates.py, roles.py, ticks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from models.coordination_events import (
    ChecklistStepTicked,
    ChecklistStepUnticked,
    CommanderExpected,
    CommanderMissing,
    CoordinationEvent,
    PublicationOverdue,
    RoleAssigned,
    UpdateExpected,
    UpdateMissed,
    UpdateReminded,
)
from models.deadlines import COMMANDER, PUBLICATION, UPDATE, UPDATE_REMINDER
from models.role import Role

CLOCKS = frozenset({UPDATE, UPDATE_REMINDER, PUBLICATION, COMMANDER})
"""The deadlines that stop when the incident is resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What is expected of people."""

    next_update_due: datetime | None = None
    """None where the policy wants no updates. POLICY 12."""
    updates_missed: int = 0
    """In a row."""
    roles: Mapping[Role, str] = field(default_factory=dict)
    """Who has which. POLICY 15."""
    commander_asked: int = 0
    """How often it was said that nobody leads."""
    ticked: Mapping[int, str] = field(default_factory=dict)
    """Who did which step of the checklist. POLICY 20."""

    def resolved(self) -> Coordination:
        """Nothing is expected any more."""
        return replace(self, next_update_due=None, updates_missed=0, commander_asked=0)


def evolve(known: Coordination, event: CoordinationEvent) -> Coordination:
    """What is known after `event`."""
    match event:
        case UpdateExpected(update_due=due):
            return replace(known, next_update_due=due, updates_missed=0)
        case UpdateMissed(missed=missed, update_due=due):
            return replace(known, next_update_due=due, updates_missed=missed)
        case UpdateReminded() | PublicationOverdue():
            return known
        case RoleAssigned(role=role, person=person):
            others = {other: name for other, name in known.roles.items() if other is not role}
            return replace(known, roles=others if person is None else {**others, role: person})
        case CommanderExpected():
            return replace(known, commander_asked=0)
        case CommanderMissing(asked=asked):
            return replace(known, commander_asked=asked)
        case ChecklistStepTicked(step=step, by=by):
            return replace(known, ticked={**known.ticked, step: by})
        case ChecklistStepUnticked(step=step):
            return replace(known, ticked={other: by for other, by in known.ticked.items() if other != step})
        case _:
            assert_never(event)


def clocks(event: CoordinationEvent) -> Mapping[str, datetime | None]:
    """When which deadline is due after `event`; None where it is waited for no longer. The update's own is armed once
    its reminder has gone out, so that an incident costs one row of the ledger at a time.
    """
    match event:
        case UpdateExpected(reminder_due=reminder_due, publication_due=publication_due):
            return {UPDATE_REMINDER: reminder_due, UPDATE: None, PUBLICATION: publication_due}
        case UpdateReminded(update_due=due) | UpdateMissed(update_due=due):
            return {UPDATE: due}
        case PublicationOverdue(publication_due=due):
            return {PUBLICATION: due}
        case RoleAssigned(role=role, person=person):
            return {COMMANDER: None} if role is Role.INCIDENT_COMMANDER and person is not None else {}
        case CommanderExpected(commander_due=due) | CommanderMissing(commander_due=due):
            return {COMMANDER: due}
        case ChecklistStepTicked() | ChecklistStepUnticked():
            return {}
        case _:
            assert_never(event)
