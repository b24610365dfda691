"""Hours of the week in wall time, such as business hours or nights: how they are written, and when they are.

    {mon-fri: "18:00-09:00", sat-sun: "00:00-24:00"}

A part that ends at or before its start ends on the next day. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Final, NoReturn

from pydantic import BeforeValidator

from models.oncall.spans import Span
from models.oncall.wall_time import instant_of, wall_of

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(\d{1,2}):([0-5]\d)\s*-\s*(\d{1,2}):([0-5]\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of a day, as wall time since its midnight; past 24 hours it reaches into the next day."""

    opens: timedelta
    closes: timedelta


HoursOf = Callable[[date], Sequence[Hours]]
"""The hours that begin on a local day."""


def parse_hours(text: object) -> Hours:
    """Reads `09:00-17:00`. Raises ValueError that says how to write it."""
    if isinstance(text, Hours):
        return text
    match = _PART.fullmatch(text.strip()) if isinstance(text, str) else None
    opens, closes = (_clock(match[1], match[2]), _clock(match[3], match[4])) if match else (_DAY, _DAY)
    if opens >= _DAY or closes > _DAY:
        raise ValueError(f"{text!r} are no hours; write them as 09:00-17:00, to midnight as 18:00-24:00")
    return Hours(opens, closes if opens < closes else closes + _DAY)


def parse_day_hours(value: object) -> tuple[Hours, ...]:
    """One part of a day or a list of parts, in order. Raises ValueError."""
    parts = sorted(map(parse_hours, value if isinstance(value, list | tuple) else [value]), key=lambda part: part.opens)
    for before, after in pairwise(parts):
        if after.opens < before.closes:
            raise ValueError("hours of one day overlap; write them one after the other")
    return tuple(parts)


def parse_weekly(value: object) -> dict[int, tuple[Hours, ...]]:
    """Hours by weekday (0 is Monday) from keys such as `mon-fri` or `sat`. Raises ValueError."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError("write hours by days, such as {mon-fri: 09:00-17:00}")
    if all(isinstance(key, int) for key in value):
        return dict(value)
    week: dict[int, tuple[Hours, ...]] = {}
    for key, hours in value.items():
        for day in _days(str(key)):
            if day in week:
                raise ValueError(f"{DAYS[day]} stands twice; give every day its hours once")
            week[day] = parse_day_hours(hours)
    return week


Weekly = Annotated[dict[int, tuple[Hours, ...]], BeforeValidator(parse_weekly)]
DayHours = Annotated[tuple[Hours, ...], BeforeValidator(parse_day_hours)]


def spans_of(hours_of: HoursOf, zone: str, start: datetime, end: datetime) -> Iterator[Span]:
    """The spans of these hours that overlap [start, end), whole and by start; those of one day may reach into the
    next.
    """
    day = wall_of(start, zone).date() - 2 * _DAY
    while instant_of(midnight(day), zone) < end:
        for part in hours_of(day):
            span = day_span(day, part, zone)
            if span.start < span.end and start < span.end and span.start < end:
                yield span
        day += _DAY


def day_span(day: date, part: Hours, zone: str) -> Span:
    """When a part of that local day is. Empty where daylight saving skips all of it."""
    return Span(instant_of(midnight(day) + part.opens, zone), instant_of(midnight(day) + part.closes, zone))


def midnight(day: date) -> datetime:
    """The wall time at which a day begins."""
    return datetime.combine(day, time())


def _clock(hours: str, minutes: str) -> timedelta:
    return timedelta(hours=int(hours), minutes=int(minutes))


def _days(key: str) -> list[int]:
    first, dash, last = key.strip().lower().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        _no_days(key)
    begin, span = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 if dash else 0
    return [(begin + step) % 7 for step in range(span + 1)]


def _no_days(key: str) -> NoReturn:
    raise ValueError(f"{key!r} names no days; write mon, tue, wed, thu, fri, sat, sun, or mon-fri")
