"""A schedule as a whole: who is on call at an instant, the shifts of a while, its gaps, its handoffs. POLICY 9, 11.

The order of what holds, from the weakest: an imported calendar, the layers as they are listed, the overrides as they
are listed. Pure: an imported calendar was fetched and read before (models.oncall.ical), and is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from models.oncall.rotation import stretches_of
from models.oncall.sections import OnCallSchedule, Override
from models.oncall.spans import Span, Stretch, between, clipped, joined, over
from models.oncall.wall_time import instant_of

OVERRIDE: Final = "override"
_INSTANT = timedelta(microseconds=1)
_HORIZONS = tuple(timedelta(days=days) for days in (8, 64, 400))
"""How far a next handoff is looked for: most are within a week."""


class Imported(Protocol):
    """A calendar from elsewhere, as stretches."""

    def stretches(self, start: datetime, end: datetime) -> list[Stretch]:
        """Who it puts on call within [start, end): sorted, disjoint."""
        ...


@dataclass(frozen=True, slots=True)
class Shift(Span):
    """One person on call from `start` up to `end`. `source` is the layer's name, `override`, or `calendar`."""

    person: str
    source: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """An instant at which other people are on call than before. Nobody leaves a gap, nobody comes into one."""

    at: datetime
    leaving: tuple[str, ...]
    coming: tuple[str, ...]
    remaining: tuple[str, ...] = ()


def on_call(schedule: OnCallSchedule, at: datetime, imported: Imported | None = None) -> tuple[str, ...]:
    """Who is on call at an instant; empty in a gap, before the schedule's start and after its end."""
    now = _stretches(schedule, at, at + _INSTANT, imported)
    return now[0].people if now else ()


def shifts(schedule: OnCallSchedule, start: datetime, end: datetime, imported: Imported | None = None) -> list[Shift]:
    """Who is on call when, within [start, end), by start; what reaches beyond is cut there."""
    found: list[Shift] = []
    latest: dict[tuple[str, str], int] = {}
    for stretch in _stretches(schedule, start, end, imported):
        for person in stretch.people:
            known = latest.get((person, stretch.source))
            if known is not None and found[known].end == stretch.start:
                found[known] = replace(found[known], end=stretch.end)
            else:
                latest[person, stretch.source] = len(found)
                found.append(Shift(stretch.start, stretch.end, person, stretch.source))
    return found


def gaps(schedule: OnCallSchedule, start: datetime, end: datetime, imported: Imported | None = None) -> list[Span]:
    """When nobody is on call, within [start, end)."""
    return between(_stretches(schedule, start, end, imported), start, end)


def next_handoff(schedule: OnCallSchedule, at: datetime, imported: Imported | None = None) -> Handoff | None:
    """The first handoff after an instant; None when there is none within a year."""
    found = (next(_handoffs(schedule, at, at + horizon, imported), None) for horizon in _HORIZONS)
    return next(filter(None, found), None)


def handoffs(
    schedules: Mapping[str, OnCallSchedule],
    start: datetime,
    end: datetime,
    imported: Mapping[str, Imported] | None = None,
) -> list[tuple[str, Handoff]]:
    """The handoffs of all schedules within [start, end), with the schedule's name, in order."""
    found = [
        (name, handoff)
        for name, schedule in schedules.items()
        # One instant before the start belongs to it: a handoff is a difference from what was.
        for handoff in _handoffs(schedule, start - _INSTANT, end, (imported or {}).get(name))
    ]
    return sorted(found, key=lambda one: (one[1].at, one[0]))


def _stretches(schedule: OnCallSchedule, start: datetime, end: datetime, imported: Imported | None) -> list[Stretch]:
    found = clipped(imported.stretches(start, end), start, end) if imported else []
    for layer in schedule.layers:
        found = over(stretches_of(layer, schedule.zone, start, end), found)
    for override in schedule.overrides:
        found = over(clipped([_stretch(override, schedule.zone)], start, end), found)
    return joined(found)


def _stretch(override: Override, zone: str) -> Stretch:
    return Stretch(instant_of(override.from_wall, zone), instant_of(override.to_wall, zone), override.who, OVERRIDE)


def _handoffs(schedule: OnCallSchedule, start: datetime, end: datetime, imported: Imported | None) -> Iterator[Handoff]:
    """Changes of who is on call after `start` and before `end`."""
    before: tuple[str, ...] = ()
    reached = start
    for stretch in _stretches(schedule, start, end, imported):
        if reached < stretch.start:  # nobody between them, or since the start
            yield from _change(reached, before, (), start)
            before = ()
        yield from _change(stretch.start, before, stretch.people, start)
        before, reached = stretch.people, stretch.end
    if reached < end:
        yield from _change(reached, before, (), start)


def _change(at: datetime, before: tuple[str, ...], after: tuple[str, ...], start: datetime) -> Iterator[Handoff]:
    leaving = tuple(person for person in before if person not in after)
    coming = tuple(person for person in after if person not in before)
    if at > start and (leaving or coming):
        yield Handoff(at, leaving, coming, tuple(person for person in before if person in after))
