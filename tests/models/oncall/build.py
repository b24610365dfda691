"""Short ways to write schedules, calendars and instants in tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from models.oncall.schedule import Shift, shifts
from models.oncall.sections import BusinessCalendar, OnCallSchedule
from models.oncall.wall_time import instant_of, wall_of

SECOND = timedelta(seconds=1)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
"""Daylight saving north and south of the equator, by half an hour, and none at all."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    """The instant of a wall time."""
    return instant_of(datetime.fromisoformat(text), zone)


def layer(*people: Any, start: str = "2026-01-05 09:00", name: str = "primary", **more: Any) -> dict[str, Any]:
    turns = [list(turn) if isinstance(turn, tuple) else turn for turn in people]
    return {"name": name, "people": turns, "start": start, **more}


def schedule(*layers: dict[str, Any], zone: str = "Europe/Berlin", **more: Any) -> OnCallSchedule:
    return OnCallSchedule.model_validate({"zone": zone, "layers": list(layers), **more})


def override(who: str, begins: str, ends: str) -> dict[str, Any]:
    return {"from": begins, "to": ends, "who": who}


def calendar(**more: Any) -> BusinessCalendar:
    return BusinessCalendar.model_validate({"zone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}, **more})


def told(plan: OnCallSchedule, start: str, end: str) -> list[tuple[str, str, str]]:
    """Shifts as (person, from, to) in the schedule's wall time."""
    zone = plan.zone
    return [_row(shift, zone) for shift in shifts(plan, local(start, zone), local(end, zone))]


def _row(shift: Shift, zone: str) -> tuple[str, str, str]:
    begins, ends = wall_of(shift.start, zone), wall_of(shift.end, zone)
    return shift.person, f"{begins:%m-%d %H:%M}", f"{ends:%m-%d %H:%M}"
