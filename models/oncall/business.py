"""Business time: when a team works, and when what waits for its hours is due. POLICY 8, 11.

Pure. Every search has an end: a calendar that never opens again answers with the instant it was asked about, so that
what cannot wait for business hours falls due at once and is seen, and blocks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from models.oncall.public_holidays import holiday
from models.oncall.sections import BusinessCalendar
from models.oncall.spans import Span
from models.oncall.wall_time import instant_of, wall_of
from models.oncall.weekly import Hours, day_span, midnight, spans_of
from models.severity import Severity

_DAY = timedelta(days=1)
_HORIZON: Final = timedelta(days=3 * 366)
_MOMENT = timedelta(microseconds=1)


def hours_on(calendar: BusinessCalendar, day: date) -> Sequence[Hours]:
    """The business hours that begin on a local day; none on a day off."""
    if day in calendar.open:
        return calendar.open[day]
    return () if day_off(calendar, day) else calendar.hours.get(day.weekday(), ())


def day_off(calendar: BusinessCalendar, day: date) -> str | None:
    """Why nobody works on a day that may be a working day by the week: a company day or public holiday, by name."""
    if day in calendar.closed:
        return calendar.closed[day] or "company day"
    place = calendar.holidays
    return holiday(place.country, place.subdivision, day) if place else None


def is_open(calendar: BusinessCalendar, at: datetime) -> bool:
    """Whether an instant lies in business hours."""
    return next(_spans(calendar, at, at + _MOMENT), None) is not None


def next_open(calendar: BusinessCalendar, at: datetime) -> datetime:
    """`at` itself in business hours, else when they begin next."""
    first = next(_spans(calendar, at, at + _HORIZON), None)
    return max(first.start, at) if first else at


def next_shift(calendar: BusinessCalendar, at: datetime) -> datetime:
    """When business hours begin next, after those that `at` lies in. POLICY 8 (A: SEV3)."""
    until = at
    for span in _spans(calendar, at, at + _HORIZON):
        if span.start > until:
            return span.start
        until = max(until, span.end)
    return at


def add_business_time(calendar: BusinessCalendar, at: datetime, within: timedelta) -> datetime:
    """The instant by which `within` of business hours have passed since `at`: 4 h from Friday 15:00 is Monday."""
    left, until = within, at
    for span in _spans(calendar, at, at + _HORIZON):
        start = max(span.start, until)
        if start + left <= span.end:
            return start + left
        left -= max(span.end - start, timedelta(0))
        until = max(until, span.end)
    return at


def next_business_day(calendar: BusinessCalendar, at: datetime) -> datetime:
    """The end of the first business day that begins after `at`. POLICY 8 (B: P3)."""
    return next((span.end for _, span in _days(calendar, at) if span.start > at), at)


def within_business_days(calendar: BusinessCalendar, at: datetime, days: int) -> datetime:
    """Within business hours the same local time so many business days later, or that day's end if it ends before; else
    the end of the last of so many business days. POLICY 8 (A: SEV4 is triaged within one).
    """
    begun = next(((day, span) for day, span in _days(calendar, at) if span.start <= at < span.end), None)
    later = (found for found in _days(calendar, at) if found[1].start > at)
    for _ in range(days - 1):
        next(later, None)
    day, span = next(later, (None, None))
    if day is None or span is None:
        return at
    if begun is None or not is_open(calendar, at):
        return span.end
    same_time = midnight(day) + (wall_of(at, calendar.zone) - midnight(begun[0]))
    return min(max(instant_of(same_time, calendar.zone), span.start), span.end)


def wake_at(calendar: BusinessCalendar | None, severity: Severity, at: datetime) -> datetime:
    """When an incident may page somebody: the worst ones now, others when business hours begin. POLICY 11.

    A team without calendar has no hours to wait for.
    """
    return at if calendar is None or severity in calendar.wake_for else next_open(calendar, at)


def _spans(calendar: BusinessCalendar, start: datetime, end: datetime) -> Iterator[Span]:
    return spans_of(partial(hours_on, calendar), calendar.zone, start, end)


def _days(calendar: BusinessCalendar, at: datetime) -> Iterator[tuple[date, Span]]:
    """Business days from their first opening to their last closing, those that end after `at`, in order."""
    day = wall_of(at, calendar.zone).date() - 2 * _DAY
    for _ in range(_HORIZON.days):
        if hours := hours_on(calendar, day):
            span = day_span(day, Hours(hours[0].opens, hours[-1].closes), calendar.zone)
            if span.start < span.end and at < span.end:
                yield day, span
        day += _DAY
