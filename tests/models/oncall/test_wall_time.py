"""What the clocks skip and repeat is resolved in one way, everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.oncall.wall_time import instant_of, parse_wall, wall_of
from tests.models.oncall.build import ZONES, utc

WALLS = st.integers(0, 4 * 365 * 86_400).map(lambda seconds: parse_wall("2025-01-01") + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Berlin", "2026-03-28 09:00", "2026-03-28 08:00"),
        ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29 00:59"),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00"),  # skipped: the instant of the jump
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 09:00", "2026-03-29 07:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),  # repeated: the first time
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
        ("America/New_York", "2026-03-08 02:15", "2026-03-08 07:00"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"),
        ("Australia/Lord_Howe", "2026-10-04 02:10", "2026-10-03 15:30"),  # half an hour is skipped
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),  # and repeated
        ("Asia/Kolkata", "2026-03-29 02:30", "2026-03-28 21:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),  # a whole day was skipped
    ],
)
def test_a_wall_time_is_one_instant(zone: str, wall: str, instant: str) -> None:
    assert instant_of(datetime.fromisoformat(wall), zone) == utc(instant)


@given(st.sampled_from(ZONES), WALLS, st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_later_on_the_wall_is_never_earlier(zone: str, wall: datetime, later: timedelta) -> None:
    assert instant_of(wall, zone) <= instant_of(wall + later, zone)


@given(st.sampled_from(ZONES), WALLS)
def test_it_is_the_first_instant_that_shows_it_or_a_later_time(zone: str, wall: datetime) -> None:
    instant = instant_of(wall, zone)
    assert wall_of(instant, zone) >= wall
    assert wall_of(instant - timedelta(seconds=1), zone) < wall


@pytest.mark.parametrize("text", ["soon", "2026-03-29 09:00Z", "2026-03-29T09:00+01:00", "0001-01-01 00:00", 7])
def test_what_is_no_local_time(text: object) -> None:
    with pytest.raises(ValueError, match=r"local time|offset|years"):
        parse_wall(text)
