"""What a policy says about people on call: teams, schedules, calendars. Owns the shape; never what follows from it.

Wall times everywhere, in the zone of the schedule or calendar they stand in.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.oncall.public_holidays import check_place
from models.oncall.wall_time import Wall, Zone
from models.oncall.weekly import DayHours, Weekly
from models.severity import Severity

_PERIOD = re.compile(r"(\d{1,3})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_WORDS = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


def parse_period(text: object) -> timedelta:
    """Reads `daily`, `weekly`, `12h`, `3d`, `2w` as wall time. Raises ValueError that says how to write one."""
    if isinstance(text, timedelta):
        return text
    match = _PERIOD.fullmatch(str(text))
    period = int(match[1]) * _UNITS[match[2]] if match else _WORDS.get(str(text), timedelta(0))
    if not period:
        raise ValueError(f"{text!r} is no length of a turn; write daily, weekly, 12h, 3d or 2w")
    return period


def _together(turn: object) -> object:
    return (turn,) if isinstance(turn, str) else tuple(dict.fromkeys(turn)) if isinstance(turn, list) else turn


def _country(text: object) -> object:
    return "NO" if text is False else text  # what YAML makes of Norway


Name = Annotated[str, Field(min_length=1, max_length=200)]
Turn = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_together)]
"""One person, or several who are on call together."""
Period = Annotated[timedelta, BeforeValidator(parse_period)]
Variable = Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rotation(_Section):
    """One layer: people who take turns. The first has the turn that begins at `start`; every turn is `every` long in
    wall time. With `only` the layer covers these hours alone, and the turns go on meanwhile. POLICY 11.
    """

    name: Name
    people: Annotated[tuple[Turn, ...], Field(min_length=1)]
    every: Period = timedelta(weeks=1)
    start: Wall
    end: Wall | None = None
    only: Weekly | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("end: it is not after start")
        return self


class Override(_Section):
    """Who is on call instead, whatever the layers say: a swap, a sick leave. A later one holds over an earlier one."""

    from_wall: Wall = Field(alias="from")
    to_wall: Wall = Field(alias="to")
    who: Turn
    note: str = ""

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.to_wall <= self.from_wall:
            raise ValueError("to: it is not after from")
        return self


class OnCallSchedule(_Section):
    """Layers of rotations, a later one over the earlier ones, and overrides over all of them. `ical` names the variable
    that holds the URL or the file of a calendar, which lies below the layers.
    """

    zone: Zone
    layers: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()
    ical: Variable | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if not self.layers and self.ical is None:
            raise ValueError("it has neither layers nor ical, so nobody would ever be on call")
        names = [layer.name for layer in self.layers]
        if len(set(names)) < len(names):
            raise ValueError(f"layers: the names must differ, but are {', '.join(names)}")
        return self


class PublicHolidays(_Section):
    """Whose public holidays are no business days: ISO 3166 codes of a country and of a part of it."""

    country: Annotated[str, BeforeValidator(_country)]
    subdivision: str | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        check_place(self.country, self.subdivision)
        return self


class BusinessCalendar(_Section):
    """When a team works. `open` holds over `closed`, that over holidays, those over the hours of the week. POLICY 8."""

    zone: Zone
    hours: Weekly
    holidays: PublicHolidays | None = None
    closed: dict[date, str] = Field(default_factory=dict)
    """Company days, and what they are."""
    open: dict[date, DayHours] = Field(default_factory=dict)
    wake_for: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    """Severities that do not wait for business hours. POLICY 11."""


class Team(_Section):
    """Who belongs together, who of them is on call, and when they work."""

    members: tuple[Name, ...] = ()
    schedule: Name | None = None
    calendar: Name | None = None
    lead: Name | None = None
    pagerduty: Variable | None = None
    """The variable that holds the routing key for those of the team who have none of their own."""
