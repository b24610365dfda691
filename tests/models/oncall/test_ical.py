"""A calendar from elsewhere as a schedule: repeated events, exceptions, zones, and who is meant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.oncall.ical import CalendarError, ImportedCalendar, read_calendar
from models.oncall.schedule import gaps, on_call, shifts
from models.oncall.sections import OnCallSchedule
from tests.models.oncall.build import layer, local, override, schedule

PEOPLE = {"ana": "ana@example.test", "ben": "ben@example.test", "cleo": None}
ROTATION = """
BEGIN:VEVENT
UID:ana
SUMMARY:On call
ATTENDEE;CN=Ana:MAILTO:Ana@example.test
DTSTART;TZID=Europe/Berlin:20260302T090000
DTEND;TZID=Europe/Berlin:20260309T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
EXDATE;TZID=Europe/Berlin:20260330T090000
END:VEVENT
BEGIN:VEVENT
UID:ben
SUMMARY:Ben (primary)
DTSTART;TZID=Europe/Berlin:20260309T090000
DTEND;TZID=Europe/Berlin:20260316T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
END:VEVENT
BEGIN:VEVENT
UID:ben
RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000
SUMMARY:cleo for Ben
DTSTART;TZID=Europe/Berlin:20260323T120000
DTEND;TZID=Europe/Berlin:20260330T090000
ATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.test
END:VEVENT
"""
EMPTY = OnCallSchedule.model_validate({"zone": "Europe/Berlin", "ical": "TOCSIN_CALENDAR"})


def read(events: str, zone: str = "Europe/Berlin") -> ImportedCalendar:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{events.strip()}\nEND:VCALENDAR\n"
    return read_calendar(text.replace("\n", "\r\n"), zone, PEOPLE)


def event(summary: str, begins: str, ends: str, *more: str) -> str:
    lines = ["BEGIN:VEVENT", f"UID:{summary}{begins}", f"SUMMARY:{summary}", f"DTSTART{begins}", f"DTEND{ends}", *more]
    return "\n".join([*lines, "END:VEVENT", ""])


def test_repeated_events_their_exceptions_and_what_was_moved() -> None:
    found = shifts(EMPTY, local("2026-03-02 09:00"), local("2026-04-13 09:00"), read(ROTATION))
    assert [(shift.person, shift.start, shift.end, shift.source) for shift in found] == [
        ("ana", local("2026-03-02 09:00"), local("2026-03-09 09:00"), "calendar"),
        ("ben", local("2026-03-09 09:00"), local("2026-03-16 09:00"), "calendar"),
        ("ana", local("2026-03-16 09:00"), local("2026-03-23 09:00"), "calendar"),
        # RECURRENCE-ID: begins at noon, and cleo stands in for Ben, who declined; EXDATE: nobody follows.
        ("cleo", local("2026-03-23 12:00"), local("2026-03-30 09:00"), "calendar"),
        ("ben", local("2026-04-06 09:00"), local("2026-04-13 09:00"), "calendar"),
    ]
    missing = gaps(EMPTY, local("2026-03-02 09:00"), local("2026-04-13 09:00"), read(ROTATION))
    assert [(gap.start, gap.end) for gap in missing] == [
        (local("2026-03-23 09:00"), local("2026-03-23 12:00")),
        (local("2026-03-30 09:00"), local("2026-04-06 09:00")),
    ]


@pytest.mark.parametrize(
    ("begins", "ends", "start", "end"),
    [
        (";VALUE=DATE:20260329", ";VALUE=DATE:20260330", "2026-03-29 00:00", "2026-03-30 00:00"),  # 23 hours long
        (":20260329T010000", ":20260329T090000", "2026-03-29 01:00", "2026-03-29 09:00"),  # floating
        (":20260329T000000Z", ":20260329T070000Z", "2026-03-29 01:00", "2026-03-29 09:00"),
        (";TZID=America/New_York:20260328T200000", ":20260329T070000Z", "2026-03-29 01:00", "2026-03-29 09:00"),
    ],
)
def test_days_and_times_with_and_without_zone(begins: str, ends: str, start: str, end: str) -> None:
    found = shifts(EMPTY, local("2026-03-01 00:00"), local("2026-04-15 00:00"), read(event("ana", begins, ends)))
    assert [(shift.start, shift.end) for shift in found] == [(local(start), local(end))]


def test_overlapping_events_put_several_on_call() -> None:
    morning = event("ana", ":20260302T080000Z", ":20260302T160000Z")
    both = read(morning + event("ben", ":20260302T120000Z", ":20260302T200000Z"))
    assert on_call(EMPTY, local("2026-03-02 14:00"), both) == ("ana", "ben")
    found = shifts(EMPTY, local("2026-03-02 00:00"), local("2026-03-03 00:00"), both)
    assert [(shift.person, shift.end - shift.start) for shift in found] == [
        ("ana", timedelta(hours=8)),
        ("ben", timedelta(hours=8)),
    ]


@pytest.mark.parametrize(
    ("summary", "who"),
    [
        ("ANA", ("ana",)),
        ("On Call - Ben - Database", ("ben",)),
        ("ana & ben", ("ana", "ben")),
        ("cleo@example.test", ()),
        ("ana@example.test", ("ana",)),
        ("Savana's birthday", ()),
        ("benjamin", ()),
        ("", ()),
    ],
)
def test_who_is_meant_by_a_title(summary: str, who: tuple[str, ...]) -> None:
    found = read(event(summary, ":20260302T080000Z", ":20260302T160000Z"))
    assert on_call(EMPTY, local("2026-03-02 12:00"), found) == who
    assert found.strangers(local("2026-03-02 00:00"), local("2026-03-03 00:00")) == ([] if who else [summary])


def test_a_cancelled_event_puts_nobody_on_call() -> None:
    found = read(event("ana", ":20260302T080000Z", ":20260302T160000Z", "STATUS:CANCELLED"))
    assert on_call(EMPTY, local("2026-03-02 12:00"), found) == ()


def test_layers_and_overrides_hold_over_the_calendar() -> None:
    plan = schedule(
        layer("dora", only={"sat-sun": "00:00-24:00"}),
        ical="TOCSIN_CALENDAR",
        overrides=[override("emil", "2026-03-04 12:00", "2026-03-04 13:00")],
    )
    found = shifts(plan, local("2026-03-04 09:00"), local("2026-03-09 09:00"), read(ROTATION))
    assert [(shift.person, shift.source) for shift in found] == [
        ("ana", "calendar"),
        ("emil", "override"),
        ("ana", "calendar"),
        ("dora", "primary"),
        ("ana", "calendar"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not an iCal calendar"),
        ("<html>please log in</html>", "not an iCal calendar"),
        ("BEGIN:VEVENT\r\nEND:VEVENT\r\n", "BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:ana\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "'ana' cannot be read"),
    ],
)
def test_what_is_no_calendar_is_refused(text: str, words: str) -> None:
    with pytest.raises(CalendarError, match=words):
        read_calendar(text, "Europe/Berlin", PEOPLE)


@pytest.mark.parametrize("often", ["SECONDLY", "MINUTELY", "HOURLY", "DAILY;INTERVAL=0", "DAILY;BYHOUR=1,2"])
def test_an_event_that_would_fill_the_calendar_by_itself_is_refused(often: str) -> None:
    with pytest.raises(CalendarError, match="more often than daily"):
        read(event("ana", ":20260302T080000Z", ":20260302T080001Z", f"RRULE:FREQ={often}"))


def test_a_year_of_it_is_read_in_no_time() -> None:
    found = read(ROTATION)
    assert len(shifts(EMPTY, local("2026-03-02 09:00"), local("2027-03-02 09:00"), found)) > 50
    assert on_call(EMPTY, local("2026-11-04 09:00") + timedelta(days=3650), found)


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:INTERVAL=2",
        "RRULE:FREQ=DAILY;BYHOUR=1,2,3",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=WEEKLY;UNTIL=x",
        "DTEND:20200101T000000Z",
        "DURATION:P1D",
        "EXDATE:foo",
        "DTSTART:garbage",
        "DTSTART:00010101T000000Z",
    ],
)
def test_nonsense_is_refused_or_read_and_never_anything_else(line: str) -> None:
    text = event("ana", ":20260302T080000Z", ":20260302T160000Z", line)
    try:
        found = read(text).stretches(local("2026-03-01 00:00"), local("2026-04-01 00:00"))
    except CalendarError as error:
        assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert all(stretch.people == ("ana",) for stretch in found)
