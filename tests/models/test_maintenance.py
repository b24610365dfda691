"""When recurring maintenance is, over the days on which clocks change; what the policy may say of it. POLICY 21."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.maintenance_rules import RecurringMaintenance, occurrence_id, occurrences
from models.policy_file import PolicyError, parse_policy, shipped_policy
from models.policy_findings import findings

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "America/St_Johns")
WEEK = timedelta(days=7)
starts = st.timedeltas(timedelta(0), timedelta(days=2200)).map(lambda span: datetime(2024, 1, 1, tzinfo=UTC) + span)
minutes = st.integers(0, 24 * 60 - 1)


def rule(zone: str, hours: dict[str, str], **more: object) -> RecurringMaintenance:
    told = {"title": "Patches", "services": ["checkout"], "zone": zone, "hours": hours, **more}
    return RecurringMaintenance.model_validate(told)


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@given(starts, st.sampled_from(ZONES), minutes, minutes)
def test_every_occurrence_begins_and_ends_when_the_clocks_on_the_wall_say(
    start: datetime, zone: str, opens: int, closes: int
) -> None:
    """Or, where they skip that time, at the jump: never later than an hour after it."""
    it = rule(zone, {"sun": f"{clock(opens)}-{clock(closes)}"})
    spans = list(occurrences(it, start, start + 4 * WEEK))
    for span in spans:
        begins = span.start.astimezone(ZoneInfo(zone))
        wall = begins.replace(hour=opens // 60, minute=opens % 60, tzinfo=None)
        assert timedelta(0) <= begins.replace(tzinfo=None) - wall <= timedelta(hours=1)
        assert begins.weekday() == 6
        assert timedelta(0) < span.end - span.start <= timedelta(hours=25)


@given(starts, st.sampled_from(ZONES), minutes, minutes)
def test_occurrences_do_not_overlap_and_every_look_finds_the_same(
    start: datetime, zone: str, opens: int, closes: int
) -> None:
    it = rule(zone, {"mon-sun": f"{clock(opens)}-{clock(closes)}"})
    whole = list(occurrences(it, start, start + 2 * WEEK))
    assert all(before.end <= after.start for before, after in pairwise(whole))
    later = list(occurrences(it, start + WEEK, start + 2 * WEEK))
    assert later == [span for span in whole if span.end > start + WEEK]
    ids = {occurrence_id("nightly", it, span) for span in whole}
    assert len(ids) == len(whole)
    assert {occurrence_id("nightly", it, span) for span in later} <= ids


def test_a_rule_that_says_something_else_plans_other_windows() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    one, other = (rule("UTC", {"sun": "02:00-04:00"}, covers_sev1=also) for also in (False, True))
    [span] = occurrences(one, start, start + WEEK)
    assert occurrence_id("weekly", one, span) != occurrence_id("weekly", other, span)


def test_what_daylight_saving_skips_is_not_there() -> None:
    it = rule("Europe/Berlin", {"sun": "02:00-03:00"})
    spans = list(occurrences(it, datetime(2026, 3, 23, tzinfo=UTC), datetime(2026, 4, 6, tzinfo=UTC)))
    assert [span.start for span in spans] == [datetime(2026, 4, 5, 0, 0, tzinfo=UTC)]


def policy(recurring: str, services: str = "{}") -> str:
    text = shipped_policy("default").replace("  watch: 24h\n", f"  watch: 24h\n  recurring: {recurring}\n")
    return text.replace("services: {}", f"services: {services}")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ("title: x, services: [a], zone: Mars, hours: {sun: '02:00-04:00'}", "not a time zone"),
        ("title: x, services: [a], zone: UTC, hours: {sunday: '02:00-04:00'}", "names no days"),
        ("title: x, services: [], zone: UTC, hours: {sun: '02:00-04:00'}", "services"),
        ("title: x, services: [a], zone: UTC, hours: {}", "write hours by days"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(told: str, what: str) -> None:
    with pytest.raises(PolicyError, match=what):
        parse_policy(policy(f"{{weekly: {{{told}}}}}"), "policy.yaml")


@pytest.mark.parametrize(
    ("told", "services", "what"),
    [
        ("services: [a], zone: UTC, hours: {mon-sun: '00:00-24:00'}", "{}", "it never ends"),
        ("services: ['*'], zone: UTC, hours: {sun: '02:00-04:00'}, covers_sev1: true", "{}", "not even a SEV1"),
        ("services: [chekout], zone: UTC, hours: {sun: '02:00-04:00'}", "{checkout: {}}", "has no chekout"),
    ],
)
def test_what_can_never_work_is_found(told: str, services: str, what: str) -> None:
    found = findings(parse_policy(policy(f"{{weekly: {{title: x, {told}}}}}", services), "policy.yaml"))
    assert [one.text for one in found if one.path[0] == "maintenance" and what in one.text]


def test_what_is_in_order_is_not_found() -> None:
    told = "{weekly: {title: x, services: [checkout], zone: UTC, hours: {sun: '02:00-04:00'}}}"
    found = findings(parse_policy(policy(told, "{checkout: {}}"), "policy.yaml"))
    assert [one for one in found if one.path[0] == "maintenance"] == []
