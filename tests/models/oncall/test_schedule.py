"""Schedules as tables: who is on call when. POLICY 9, 11."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter

import pytest

from models.oncall.schedule import Handoff, gaps, handoffs, next_handoff, on_call
from models.oncall.spans import Span
from tests.models.oncall.build import SECOND, layer, local, override, schedule, told, utc

WEEKLY = schedule(layer("ana", "ben", "cleo"))


def test_a_weekly_rotation_changes_at_nine_local_over_both_changes_of_the_clocks() -> None:  # POLICY 11
    assert told(WEEKLY, "2026-03-16 09:00", "2026-04-06 09:00") == [
        ("ben", "03-16 09:00", "03-23 09:00"),
        ("cleo", "03-23 09:00", "03-30 09:00"),
        ("ana", "03-30 09:00", "04-06 09:00"),
    ]
    spring = next_handoff(WEEKLY, local("2026-03-29 12:00"))
    autumn = next_handoff(WEEKLY, local("2026-10-25 12:00"))
    assert spring is not None
    assert spring.at == utc("2026-03-30 07:00")
    assert autumn is not None
    assert autumn.at == utc("2026-10-26 08:00")


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-01-05 08:59:59", ()),  # not yet begun
        ("2026-01-05 09:00:00", ("ana",)),
        ("2026-01-12 08:59:59", ("ana",)),
        ("2026-01-12 09:00:00", ("ben",)),
        ("2026-01-26 09:00:00", ("ana",)),
        ("2126-01-07 09:00:00", ("ben",)),  # a hundred years are no longer than a day
    ],
)
def test_who_is_on_call(at: str, who: tuple[str, ...]) -> None:
    assert on_call(WEEKLY, local(at)) == who


def test_a_handoff_in_the_hour_that_is_skipped_comes_when_the_clocks_jump() -> None:
    plan = schedule(layer("ana", "ben", every="daily", start="2026-03-27 02:30"))
    assert on_call(plan, utc("2026-03-29 00:59:59")) == ("ben",)
    assert on_call(plan, utc("2026-03-29 01:00")) == ("ana",)


def test_a_handoff_in_the_hour_that_is_repeated_comes_once_and_first() -> None:
    plan = schedule(layer("ana", "ben", every="daily", start="2026-10-23 02:30"))
    assert [handoff.at for _, handoff in handoffs({"x": plan}, utc("2026-10-24 22:00"), utc("2026-10-25 22:00"))] == [
        utc("2026-10-25 00:30")
    ]
    assert on_call(plan, utc("2026-10-25 01:29")) == ("ana",)  # 02:29 the second time: nobody goes back


@pytest.mark.parametrize("every", ["12h", "1h", "7h", "2d", "3w", "daily"])
def test_turns_of_any_length_cover_the_changes_of_the_clocks(every: str) -> None:
    plan = schedule(layer("ana", "ben", "cleo", every=every))
    for day in ("2026-03-29", "2026-10-25"):
        assert gaps(plan, local(f"{day} 00:00"), local(f"{day} 23:59")) == []


def test_turns_of_twelve_hours_stay_at_nine() -> None:
    plan = schedule(layer("ana", "ben", every="12h"))
    assert told(plan, "2026-03-28 21:00", "2026-03-29 21:00") == [
        ("ben", "03-28 21:00", "03-29 09:00"),
        ("ana", "03-29 09:00", "03-29 21:00"),
    ]
    assert local("2026-03-29 09:00") - local("2026-03-28 21:00") == timedelta(hours=11)


def test_a_later_layer_holds_over_an_earlier_one_in_its_hours() -> None:
    plan = schedule(
        layer("ana", "ben"),
        layer("nina", "nils", name="nights", only={"mon-fri": "22:00-06:00"}),
        layer("wim", name="weekend", only={"sat-sun": "00:00-24:00"}),
    )
    assert told(plan, "2026-01-08 09:00", "2026-01-12 12:00") == [
        ("ana", "01-08 09:00", "01-08 22:00"),
        ("nina", "01-08 22:00", "01-09 06:00"),
        ("ana", "01-09 06:00", "01-09 22:00"),
        ("nina", "01-09 22:00", "01-10 00:00"),
        ("wim", "01-10 00:00", "01-12 00:00"),
        ("ana", "01-12 00:00", "01-12 09:00"),
        ("ben", "01-12 09:00", "01-12 12:00"),
    ]


def test_an_override_is_a_swap_and_the_last_one_holds() -> None:
    plan = schedule(
        layer("ana", "ben"),
        overrides=[
            override("cleo", "2026-01-06 18:00", "2026-01-07 08:00"),
            override("dora", "2026-01-06 22:00", "2026-01-07 02:00"),
        ],
    )
    assert told(plan, "2026-01-06 12:00", "2026-01-07 12:00") == [
        ("ana", "01-06 12:00", "01-06 18:00"),
        ("cleo", "01-06 18:00", "01-06 22:00"),
        ("dora", "01-06 22:00", "01-07 02:00"),
        ("cleo", "01-07 02:00", "01-07 08:00"),
        ("ana", "01-07 08:00", "01-07 12:00"),
    ]


def test_several_are_on_call_together_and_hand_over_apart() -> None:
    plan = schedule(layer(("ana", "ben"), ("ben", "cleo"), every="daily"))
    assert on_call(plan, local("2026-01-05 10:00")) == ("ana", "ben")
    assert next_handoff(plan, local("2026-01-05 10:00")) == Handoff(
        local("2026-01-06 09:00"), ("ana",), ("cleo",), ("ben",)
    )


def test_gaps_are_before_the_start_after_the_end_and_between_the_hours() -> None:
    plan = schedule(layer("ana", end="2026-01-07 09:00", only={"mon-sun": "09:00-17:00"}))
    assert gaps(plan, local("2026-01-05 00:00"), local("2026-01-08 00:00")) == [
        Span(local("2026-01-05 00:00"), local("2026-01-05 09:00")),
        Span(local("2026-01-05 17:00"), local("2026-01-06 09:00")),
        Span(local("2026-01-06 17:00"), local("2026-01-08 00:00")),
    ]
    assert gaps(WEEKLY, local("2026-01-05 09:00"), local("2027-01-05 09:00")) == []


def test_one_person_alone_never_hands_over() -> None:
    assert next_handoff(schedule(layer("ana")), local("2026-01-06 09:00")) is None


def test_somebody_leaves_into_a_gap_and_comes_out_of_one() -> None:
    plan = schedule(layer("ana", only={"mon-fri": "09:00-17:00"}))
    out = next_handoff(plan, local("2026-01-09 12:00"))
    assert out == Handoff(local("2026-01-09 17:00"), ("ana",), ())
    assert next_handoff(plan, local("2026-01-09 17:00")) == Handoff(local("2026-01-12 09:00"), (), ("ana",))


def test_handoffs_of_all_schedules_in_order_and_each_in_one_window_only() -> None:
    plans = {"web": WEEKLY, "db": schedule(layer("dora", "emil", every="daily"))}
    start, middle, end = (local(f"2026-01-{day} 09:00") for day in ("11", "12", "14"))
    whole = handoffs(plans, start, end)
    assert [(name, handoff.coming) for name, handoff in whole] == [
        ("db", ("dora",)),
        ("db", ("emil",)),
        ("web", ("ben",)),
        ("db", ("dora",)),
    ]
    assert handoffs(plans, start, middle) + handoffs(plans, middle, end) == whole


def test_a_month_of_minutes_and_of_handoffs_takes_no_time() -> None:
    plan = schedule(
        layer("ana", "ben", "cleo"),
        layer("nina", "nils", name="nights", every="daily", only={"mon-sun": "22:00-06:00"}),
        overrides=[override("dora", "2026-03-28 18:00", "2026-03-29 12:00")],
    )
    start = local("2026-03-10 00:00")
    began = perf_counter()
    assert len(handoffs({"x": plan}, start, start + timedelta(days=30))) > 60
    assert gaps(plan, start, start + timedelta(days=30)) == []
    at, seen = start, 0
    while (handoff := next_handoff(plan, at)) and handoff.at < start + timedelta(days=30):
        assert on_call(plan, handoff.at - SECOND) != on_call(plan, handoff.at)
        at, seen = handoff.at, seen + 1
    assert seen > 60
    assert perf_counter() - began < 3  # a tenth of that here; what is excluded is stepping through it
