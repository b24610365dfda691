"""How people work together on an incident: the part of its state that is about them. Pure: `evolve` folds events,
`clocks` says which deadlines they arm; what they follow from: models/updates.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from models.coordination_events import (
    CoordinationEvent,
    PublicationOverdue,
    UpdateExpected,
    UpdateMissed,
    UpdateReminded,
)
from models.deadlines import PUBLICATION, UPDATE, UPDATE_REMINDER

CLOCKS = frozenset({UPDATE, UPDATE_REMINDER, PUBLICATION})
"""The deadlines that stop when the incident is resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What is expected of people."""

    next_update_due: datetime | None = None
    """None where the policy wants no updates. POLICY 12."""
    updates_missed: int = 0
    """In a row."""

    def resolved(self) -> Coordination:
        """Nothing is expected any more."""
        return replace(self, next_update_due=None, updates_missed=0)


def evolve(known: Coordination, event: CoordinationEvent) -> Coordination:
    """What is known after `event`."""
    match event:
        case UpdateExpected(update_due=due):
            return replace(known, next_update_due=due, updates_missed=0)
        case UpdateMissed(missed=missed, update_due=due):
            return replace(known, next_update_due=due, updates_missed=missed)
        case UpdateReminded() | PublicationOverdue():
            return known
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
        case _:
            assert_never(event)
