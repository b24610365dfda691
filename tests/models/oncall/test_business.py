"""Business time as tables. The customer's figures: POLICY 8 and 11. 2026-04-03 is Good Friday, 04-06 Easter Monday."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.oncall import business
from models.oncall.sections import BusinessCalendar, PublicHolidays
from models.oncall.within import Within, due_at, parse_within
from models.policy_fields import parse_duration
from models.severity import Severity
from tests.models.oncall.build import ZONES, calendar, local, utc

BERLIN = calendar(
    holidays={"country": "DE", "subdivision": "BE"},
    closed={date(2026, 5, 15): "bridge day"},
    open={date(2026, 4, 11): "10:00-14:00", date(2026, 12, 24): ["09:00-12:00"]},
)


@pytest.mark.parametrize(
    ("at", "next_open"),
    [
        ("2026-04-01 08:59:59", "2026-04-01 09:00"),
        ("2026-04-01 09:00", "2026-04-01 09:00"),
        ("2026-04-01 17:00", "2026-04-02 09:00"),
        ("2026-04-02 17:00", "2026-04-07 09:00"),  # Easter
        ("2026-04-10 20:00", "2026-04-11 10:00"),  # an open Saturday
        ("2026-05-13 18:00", "2026-05-18 09:00"),  # Ascension Day, then a company day, then a weekend
        ("2026-12-24 11:59", "2026-12-24 11:59"),
        ("2026-12-24 12:00", "2026-12-28 09:00"),
    ],
)
def test_hours_holidays_company_days_and_exceptions(at: str, next_open: str) -> None:
    assert business.is_open(BERLIN, local(at)) is (at == next_open)
    assert business.next_open(BERLIN, local(at)) == local(next_open)


@pytest.mark.parametrize(
    ("within", "at", "due"),
    [
        # POLICY 8 (B): P3 by the next business day.
        ("next business day", "2026-04-01 14:00", "2026-04-02 17:00"),
        ("next business day", "2026-04-02 14:00", "2026-04-07 17:00"),
        ("next business day", "2026-04-05 03:00", "2026-04-07 17:00"),
        ("next business day", "2026-04-07 03:00", "2026-04-07 17:00"),  # before hours the day that comes is the next
        # POLICY 8 (A): SEV4 is triaged within 1 business day.
        ("1 business day", "2026-03-31 14:00", "2026-04-01 14:00"),
        ("1 business day", "2026-04-02 14:00", "2026-04-07 14:00"),
        ("1 business day", "2026-04-02 17:00", "2026-04-07 17:00"),
        ("1 business day", "2026-04-10 16:00", "2026-04-11 14:00"),  # the open Saturday ends early
        ("1 business day", "2026-04-04 12:00", "2026-04-07 17:00"),
        ("1 business day", "2026-03-27 14:00", "2026-03-30 14:00"),  # the clocks change in between
        # POLICY 22: full analysis within 5 business days.
        ("5 business days", "2026-03-30 10:00", "2026-04-08 10:00"),
        ("5 business days", "2026-05-11 10:00", "2026-05-20 10:00"),
        # POLICY 8 (A): SEV3 within 4 h, next shift.
        ("4 business hours", "2026-04-01 10:00", "2026-04-01 14:00"),
        ("4 business hours", "2026-04-01 13:00", "2026-04-01 17:00"),
        ("4 business hours", "2026-04-02 15:00", "2026-04-07 11:00"),
        ("4 business hours", "2026-04-05 02:00", "2026-04-07 13:00"),
        ("next shift", "2026-04-01 10:00", "2026-04-02 09:00"),
        ("next shift", "2026-04-01 20:00", "2026-04-02 09:00"),
        ("next shift", "2026-04-02 12:00", "2026-04-07 09:00"),
        ("4h", "2026-04-02 15:00", "2026-04-02 19:00"),
    ],
)
def test_deadlines_in_business_time(within: str, at: str, due: str) -> None:
    assert due_at(parse_within(within, parse_duration), BERLIN, local(at)) == local(due)


@pytest.mark.parametrize(
    ("within", "span"),
    [("4 business hours", 4), ("1 business day", 24), ("next business day", 24), ("next shift", 0), ("90m", 1.5)],
)
def test_without_a_calendar_every_hour_counts(within: str, span: float) -> None:
    at = utc("2026-04-04 12:00")
    assert due_at(parse_within(within, parse_duration), None, at) == at + timedelta(hours=span)


@pytest.mark.parametrize("text", ["soon", "0 business days", "business day", None, "4 hours"])
def test_a_time_that_cannot_be_read_says_how_to_write_one(text: object) -> None:
    with pytest.raises(ValueError, match=r"business (day|hours)"):
        parse_within(text, parse_duration)


@pytest.mark.parametrize(
    ("severity", "at", "wake_at"),
    [  # POLICY 11: after hours only SEV1 and SEV2 wake anyone.
        ("SEV1", "2026-04-04 03:00", "2026-04-04 03:00"),
        ("SEV2", "2026-04-04 03:00", "2026-04-04 03:00"),
        ("SEV3", "2026-04-04 03:00", "2026-04-07 09:00"),
        ("SEV4", "2026-04-01 17:30", "2026-04-02 09:00"),
        ("SEV3", "2026-04-01 16:59", "2026-04-01 16:59"),
    ],
)
def test_after_hours_only_the_worst_wakes(severity: str, at: str, wake_at: str) -> None:
    assert business.wake_at(BERLIN, Severity(severity), local(at)) == local(wake_at)


def test_a_team_without_calendar_is_always_woken() -> None:
    assert business.wake_at(None, Severity.SEV4, local("2026-04-04 03:00")) == local("2026-04-04 03:00")


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    nights = calendar(hours={"mon-thu": "22:00-06:00"})
    assert business.is_open(nights, local("2026-04-10 05:59"))
    assert not business.is_open(nights, local("2026-04-11 05:59"))
    assert business.within_business_days(nights, local("2026-04-08 02:00"), 1) == local("2026-04-09 02:00")
    assert business.add_business_time(nights, local("2026-04-10 04:00"), timedelta(hours=3)) == local(
        "2026-04-13 23:00"
    )


def test_a_calendar_without_any_opening_falls_due_at_once() -> None:
    never = calendar(hours={"mon": []})
    at = local("2026-04-01 12:00")
    for within in ("4 business hours", "1 business day", "next business day", "next shift"):
        assert due_at(parse_within(within, parse_duration), never, at) == at
    assert business.next_open(never, at) == at
    always = calendar(hours={"mon-sun": "00:00-24:00"})
    assert business.next_shift(always, at) == at
    assert business.add_business_time(always, at, timedelta(days=9)) == at + timedelta(days=9)


@given(
    st.sampled_from(ZONES),
    st.datetimes(utc("2026-01-01").replace(tzinfo=None), utc("2027-12-01").replace(tzinfo=None)),
    st.timedeltas(timedelta(0), timedelta(hours=60)),
)
def test_business_time_adds_up(zone: str, at: object, within: timedelta) -> None:
    plan, begins = calendar(zone=zone, hours={"mon-fri": ["08:00-12:00", "13:00-17:30"]}), utc(str(at))
    due = business.add_business_time(plan, begins, within)
    assert due >= begins + within
    midway = business.add_business_time(plan, begins, within / 2)
    assert business.add_business_time(plan, midway, within - within / 2) == due
    assert business.is_open(plan, due - timedelta(microseconds=1)) or not within


def test_norway_is_a_country_in_yaml() -> None:
    assert PublicHolidays.model_validate({"country": False}).country == "NO"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"zone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"hours": {"mon-foo": "09:00-17:00"}}, "names no days"),
        ({"hours": {"mon": "9 to 5"}}, "write them as 09:00-17:00"),
        ({"hours": {"mon-fri": "09:00-17:00", "fri": "09:00-15:00"}}, "fri stands twice"),
        ({"hours": {"mon": ["09:00-13:00", "12:00-17:00"]}}, "overlap"),
        ({"hours": {}}, "write hours by days"),
        ({"holidays": {"country": "XX"}}, "the holidays of 'XX' are not known"),
        ({"holidays": {"country": "DE", "subdivision": "QQ"}}, "DE has no 'QQ'"),
    ],
)
def test_what_is_wrong_with_a_calendar_is_said(broken: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        calendar(**broken)


def test_hours_are_kept_when_validated_again() -> None:
    assert BusinessCalendar.model_validate(dict(BERLIN)) == BERLIN
    assert parse_within(Within("next shift"), parse_duration) == Within("next shift")
