"""What an incident remembers of its alerts' coming and going: a part of its state (models/state.py). Pure; what follows
from it: models/flapping.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from models.deadlines import CALM, STALE
from models.flapping_events import CalmBroken, FlappingBegan, FlappingEvent, ResolutionHeld

REMEMBERED = 20
"""Reopenings; a policy cannot ask for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaps:
    """`since` is when it began to flap, None while it does not."""

    reopened: tuple[datetime, ...] = ()
    """The latest times that it was reopened."""
    since: datetime | None = None

    def again(self, at: datetime) -> Flaps:
        """It was reopened."""
        return replace(self, reopened=(*self.reopened, at)[-REMEMBERED:])

    def resolved(self, *, by_person: bool) -> Flaps:
        """It flaps no more. What it did is remembered, unless a person has said that it is over."""
        return Flaps() if by_person else replace(self, since=None)


def evolve(known: Flaps, event: FlappingEvent, at: datetime) -> Flaps:
    """What is known after `event`, which was decided at `at`."""
    return replace(known, since=at) if isinstance(event, FlappingBegan) else known


def clocks(event: FlappingEvent) -> Mapping[str, datetime | None]:
    """When which deadline is due after `event`; None where it is waited for no longer."""
    match event:
        case FlappingBegan():
            return {}
        case ResolutionHeld(calm_due=due):
            return {CALM: due, STALE: None}
        case CalmBroken():
            return {CALM: None}
        case _:
            assert_never(event)
