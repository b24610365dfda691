"""Events of an incident whose alerts come and go. Facts like those of models/events.py, whose union they belong to;
what they change: models/flaps.py, and what they follow from: models/flapping.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class FlappingBegan:
    """It has been reopened too often: from now on it is resolved only once its alerts have been calm for `calm`."""

    kind: Literal["flapping_began"] = "flapping_began"
    reopens: int
    since: datetime
    """Of the first of those reopenings."""
    calm: str
    """How long, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionHeld:
    """Every alert of a flapping incident has resolved; it is over at `calm_due`, unless one fires again before."""

    kind: Literal["resolution_held"] = "resolution_held"
    calm_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CalmBroken:
    """One fired again before it had been calm for long enough."""

    kind: Literal["calm_broken"] = "calm_broken"


FlappingEvent = FlappingBegan | ResolutionHeld | CalmBroken
