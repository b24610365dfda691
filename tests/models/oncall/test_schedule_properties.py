"""What holds for every schedule, in zones with and without daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.oncall.rotation import stretches_of
from models.oncall.schedule import gaps, handoffs, next_handoff, on_call, shifts
from models.oncall.sections import OnCallSchedule
from models.oncall.wall_time import instant_of, wall_of
from tests.models.oncall.build import SECOND, ZONES, layer, override, schedule

PEOPLE = ("ana", "ben", "cleo", "dora", "emil")
EVERY = ("1h", "7h", "12h", "daily", "3d", "weekly", "2w")
HOURS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"mon-fri": "09:00-17:00"},
    {"mon-sun": "22:00-06:00"},
    {"sat-sun": "00:00-24:00"},
    {"mon-sun": ["01:30-02:30", "02:30-03:15"]},
)
MINUTES = st.integers(0, 400 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
STARTS = MINUTES.map(lambda after: f"{datetime(2026, 1, 1, tzinfo=UTC) + after:%Y-%m-%d %H:%M}")
WINDOWS = st.tuples(MINUTES, st.timedeltas(timedelta(minutes=1), timedelta(days=40))).map(
    lambda pair: (datetime(2026, 1, 1, tzinfo=UTC) + pair[0], datetime(2026, 1, 1, tzinfo=UTC) + pair[0] + pair[1])
)


@st.composite
def schedules(draw: st.DrawFn) -> OnCallSchedule:
    layers = [
        layer(
            *draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=5)),
            name=f"layer {number}",
            start=draw(STARTS),
            every=draw(st.sampled_from(EVERY)),
            only=draw(st.sampled_from(HOURS)),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    begins = [datetime.fromisoformat(start) for start in draw(st.lists(STARTS, max_size=2))]
    overrides = [
        override(draw(st.sampled_from(PEOPLE)), str(begin), str(begin + timedelta(hours=draw(st.integers(1, 90)))))
        for begin in begins
    ]
    return schedule(*layers, zone=draw(st.sampled_from(ZONES)), overrides=overrides)


@given(schedules(), WINDOWS)
def test_shifts_and_gaps_partition_time(plan: OnCallSchedule, window: tuple[datetime, datetime]) -> None:
    parts = sorted((span.start, span.end) for span in [*shifts(plan, *window), *gaps(plan, *window)])
    assert parts[0][0] == window[0]
    assert parts[-1][1] == window[1]
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert all(begin < end for begin, end in parts)


@given(schedules(), WINDOWS)
def test_a_layer_never_overlaps_itself(plan: OnCallSchedule, window: tuple[datetime, datetime]) -> None:
    for one in plan.layers:
        found = stretches_of(one, plan.zone, *window)
        assert all(before.end <= after.start for before, after in pairwise(found))


@settings(deadline=None)
@given(schedules(), WINDOWS)
def test_on_call_agrees_with_the_shifts_around_every_boundary(
    plan: OnCallSchedule, window: tuple[datetime, datetime]
) -> None:
    found = shifts(plan, *window)
    bounds = {bound for shift in found for bound in (shift.start, shift.end)}
    for at in (bound + step for bound in sorted(bounds)[:60] for step in (-SECOND, 0 * SECOND, SECOND)):
        if window[0] <= at < window[1]:
            assert set(on_call(plan, at)) == {shift.person for shift in found if shift.start <= at < shift.end}


@settings(deadline=None)
@given(schedules(), WINDOWS)
def test_walking_the_handoffs_finds_them_all(plan: OnCallSchedule, window: tuple[datetime, datetime]) -> None:
    start, end = window
    end = min(end, start + timedelta(days=5))
    expected = [handoff for _, handoff in handoffs({"x": plan}, start + SECOND, end)]
    at, walked = start + SECOND - timedelta(microseconds=1), []
    while (handoff := next_handoff(plan, at)) and handoff.at < end:
        walked.append(handoff)
        at = handoff.at
    assert walked == expected


@given(st.sampled_from(ZONES), st.integers(1, 5))
def test_every_nth_week_is_the_same_persons_at_the_same_local_time_over_a_year(zone: str, people: int) -> None:
    plan = schedule(layer(*PEOPLE[:people], start="2026-01-05 09:00"), zone=zone)
    for week in range(53):
        begins = instant_of(plan.layers[0].start + timedelta(weeks=week), zone)
        assert on_call(plan, begins) == (PEOPLE[week % people],)
        if people > 1:
            assert on_call(plan, begins - SECOND) == ((PEOPLE[(week - 1) % people],) if week else ())
        assert wall_of(begins, zone).strftime("%a %H:%M") == "Mon 09:00"
