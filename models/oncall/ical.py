"""A schedule that is kept in a calendar elsewhere: iCal text (RFC 5545) read as stretches.

Owns how an event names people: its attendees by their e-mail address, else the names or addresses that stand in its
summary; never somebody who declined. Repeated events, their exceptions and zones are what `recurring-ical-events` makes
of them. Pure: whoever fetched the text keeps the last good one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import recurring_ical_events
from icalendar import Calendar

from models.oncall.spans import Stretch, joined
from models.oncall.wall_time import instant_of
from models.oncall.weekly import midnight

SOURCE: Final = "calendar"
_DAY = timedelta(days=1)
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What the libraries raise for dates and rules that contradict themselves."""
_OFTEN = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_EARLIEST: Final = 1990
"""A rule is counted from its start."""
_SUBDAILY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})


class CalendarError(ValueError):
    """Text that is no calendar that shifts can be read from; one line for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One occurrence of an event. `people` is empty where its title names nobody whom the policy knows."""

    start: datetime
    end: datetime
    people: tuple[str, ...]
    title: str


class ImportedCalendar:
    """Satisfies models.oncall.schedule.Imported."""

    def __init__(self, calendar: Calendar, zone: str, people: Mapping[str, str | None]) -> None:
        self._query = recurring_ical_events.of(calendar)
        self._zone = zone
        self._by_email = {email.lower(): name for name, email in people.items() if email}
        words = {re.escape(word): name for name, email in people.items() for word in (name, email) if word}
        self._by_word = [
            (re.compile(rf"(?<![\w@.-]){word}(?![\w@-])", re.IGNORECASE), name) for word, name in words.items()
        ]

    def entries(self, start: datetime, end: datetime) -> list[Entry]:
        """What the calendar has within [start, end), whole, by start. Raises CalendarError where an event makes no
        sense; whoever reads a text tries this once before it is believed.
        """
        try:
            # A day more on both sides: events of whole days are in the schedule's zone, the query is in UTC.
            events = self._query.between(start - _DAY, end + _DAY)
            entries = [self._entry(event) for event in events if str(event.get("STATUS", "")).upper() != "CANCELLED"]
        except _NONSENSE as error:
            raise CalendarError(f"an event makes no sense: {type(error).__name__}: {str(error)[:200]}") from None
        found = [entry for entry in entries if entry.start < end and start < entry.end]
        return sorted(found, key=lambda entry: (entry.start, entry.end, entry.title))

    def stretches(self, start: datetime, end: datetime) -> list[Stretch]:
        """Who it puts on call within [start, end); overlapping events put several people on call."""
        entries = [entry for entry in self.entries(start, end) if entry.people and entry.start < entry.end]
        return joined(_swept(entries))

    def strangers(self, start: datetime, end: datetime) -> list[str]:
        """Titles of events within [start, end) that name nobody whom the policy knows."""
        return sorted({entry.title for entry in self.entries(start, end) if not entry.people})

    def _entry(self, event: Any) -> Entry:
        title = str(event.get("SUMMARY", "")).strip()
        return Entry(self._instant(event.start), self._instant(event.end), tuple(self._people(event, title)), title)

    def _people(self, event: Any, title: str) -> list[str]:
        attendees = event.get("ATTENDEE", [])
        coming: dict[str, bool] = {}
        for attendee in attendees if isinstance(attendees, list) else [attendees]:
            if name := self._by_email.get(str(attendee).lower().removeprefix("mailto:")):
                coming[name] = str(attendee.params.get("PARTSTAT", "")).upper() != "DECLINED"
        known = [name for name, comes in coming.items() if comes]
        named = known or [name for pattern, name in self._by_word if pattern.search(title) and coming.get(name, True)]
        return list(dict.fromkeys(named))

    def _instant(self, moment: date) -> datetime:
        """Times without zone, and days, are those of the schedule's zone."""
        if not isinstance(moment, datetime):
            return instant_of(midnight(moment), self._zone)
        return instant_of(moment, self._zone) if moment.tzinfo is None else moment.astimezone(UTC)


def read_calendar(text: str, zone: str, people: Mapping[str, str | None]) -> ImportedCalendar:
    """The calendar in `text`; `people` are names with their e-mail addresses. Raises CalendarError."""
    try:
        calendar = Calendar.from_ical(text)
    except _NONSENSE as error:
        raise CalendarError(f"not an iCal calendar: {str(error)[:200]}") from None
    if not isinstance(calendar, Calendar):
        raise CalendarError("not an iCal calendar: it does not begin with BEGIN:VCALENDAR")
    for event in calendar.walk("VEVENT"):
        _check(event)
    try:
        return ImportedCalendar(calendar, zone, people)
    except _NONSENSE as error:
        raise CalendarError(f"an event makes no sense: {type(error).__name__}: {str(error)[:200]}") from None


def _check(event: Any) -> None:
    """Raises CalendarError for an event that cannot be placed in time, or would fill the calendar by itself."""
    title = str(event.get("SUMMARY", "")) or str(event.get("UID", ""))
    if "DTSTART" not in event or getattr(event, "errors", None):
        raise CalendarError(f"the event {title!r} cannot be read; mend or delete it in the calendar")
    begins = event["DTSTART"]
    if getattr(begins, "dt", date.min).year < _EARLIEST:
        raise CalendarError(f"the event {title!r} begins before {_EARLIEST}; mend or delete it in the calendar")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if not (isinstance(rule, Mapping) and _is_countable(rule)):
            raise CalendarError(f"the event {title!r} repeats more often than daily, or by no rule; no shift does")


def _is_countable(rule: Mapping[str, Any]) -> bool:
    """At most a few occurrences a day; an interval of 0 would be counted for ever."""
    often = {str(name).upper() for name in rule.get("FREQ", [])}
    steps = all(isinstance(step, int) and step > 0 for step in rule.get("INTERVAL", []))
    return bool(often) and often <= _OFTEN and steps and not _SUBDAILY & set(rule)


def _swept(entries: Iterable[Entry]) -> Iterator[Stretch]:
    """Overlapping entries as disjoint stretches, each with everybody who is on call in it."""
    changes: dict[datetime, list[tuple[str, int]]] = {}
    for entry in entries:
        for person in entry.people:
            changes.setdefault(entry.start, []).append((person, 1))
            changes.setdefault(entry.end, []).append((person, -1))
    present: Counter[str] = Counter()
    instants = sorted(changes)
    for at, until in pairwise(instants):
        for person, change in changes[at]:
            present[person] += change
        if people := tuple(sorted(person for person, count in present.items() if count > 0)):
            yield Stretch(at, until, people, SOURCE)
