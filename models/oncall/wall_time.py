"""Wall time and instants: what a clock on a wall somewhere shows, and when it shows it.

The one place that resolves the hours that daylight saving skips and repeats: a wall time stands for the first instant
at which the clocks there show it or a later time. So a repeated time means its first pass, a skipped one the instant of
the jump, and later wall times never come before earlier ones: turns cannot overlap.
"""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator

_SECOND = timedelta(seconds=1)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "write one of the IANA database, such as Europe/Berlin"
        raise ValueError(f"{name!r} is not a time zone; {hint}") from None
    return name


def parse_wall(text: object) -> datetime:
    """Reads `2026-03-29 09:00` as a wall time without zone; a date alone is its midnight. Raises ValueError."""
    if isinstance(text, date) and not isinstance(text, datetime):
        return datetime.combine(text, time())
    try:
        wall = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"{str(text)!r} is not a local time; write it as 2026-03-29 09:00") from None
    if wall.tzinfo is not None:
        raise ValueError(f"{str(text)!r} has an offset; write the local time alone, the zone says the rest")
    if not 1971 <= wall.year <= 9000:
        raise ValueError(f"{str(text)!r} is out of the years that can be planned for")
    return wall


Zone = Annotated[str, AfterValidator(_known_zone)]
"""A name in the IANA time zone database."""
Wall = Annotated[datetime, BeforeValidator(parse_wall)]
"""What a clock on the wall shows: naive, to be read in the zone beside it."""


def instant_of(wall: datetime, zone: str) -> datetime:
    """The first instant, in UTC, at which the clocks of `zone` show `wall` or a later time."""
    there = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    instant = there.astimezone(UTC)
    if wall_of(instant, zone) == wall:
        return instant
    return _jump(there.replace(fold=1).astimezone(UTC), instant, zone)


def wall_of(at: datetime, zone: str) -> datetime:
    """What the clocks of `zone` show at an instant, naive."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def _jump(before: datetime, after: datetime, zone: str) -> datetime:
    """The instant in (before, after] at which the clocks of `zone` are put forward, to the second."""
    there = ZoneInfo(zone)
    offset = after.astimezone(there).utcoffset()
    before = before.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + ((after - before) / 2 // _SECOND) * _SECOND
        if middle.astimezone(there).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
