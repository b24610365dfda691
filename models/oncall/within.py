"""How long something may take, in elapsed or business time, and when it is then due. POLICY 8, 22.

Elapsed time is written as everywhere (`15m`, `4h`); the rest as people say it: `4 business hours`, `1 business day`,
`next business day`, `next shift`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from models.oncall.business import add_business_time, next_business_day, next_shift, within_business_days
from models.oncall.sections import BusinessCalendar

Kind = Literal["elapsed", "business hours", "business days", "next business day", "next shift"]
_COUNTED: Final = re.compile(r"(\d{1,3}) business (hour|day)s?")
_NAMED: Final[dict[str, Kind]] = {"next business day": "next business day", "next shift": "next shift"}


@dataclass(frozen=True, slots=True)
class Within:
    """One such time. `count` is for business hours and days."""

    kind: Kind
    elapsed: timedelta = timedelta(0)
    count: int = 0


def parse_within(text: object, elapsed: Callable[[object], timedelta]) -> Within:
    """Reads one; `elapsed` reads what is no business time. Raises ValueError that says how to write one."""
    if isinstance(text, Within):
        return text
    if match := _COUNTED.fullmatch(str(text)):
        if not int(match[1]):
            raise ValueError(f"{text!r} is no time at all; write 1 business {match[2]} or more")
        return Within("business hours" if match[2] == "hour" else "business days", count=int(match[1]))
    if kind := _NAMED.get(str(text)):
        return Within(kind)
    try:
        return Within("elapsed", elapsed=elapsed(text))
    except ValueError as error:
        raise ValueError(f"{error}, or as 4 business hours, 1 business day, next business day, next shift") from None


def said(within: Within, elapsed: Callable[[timedelta], str]) -> str:
    """As people say it; `elapsed` says what is no business time."""
    if within.kind == "elapsed":
        return elapsed(within.elapsed)
    return f"{within.count} {within.kind}" if within.count else within.kind


def due_at(within: Within, calendar: BusinessCalendar | None, at: datetime) -> datetime:
    """When it is due, counted from `at`. Without calendar every hour is a business hour, and every day a day."""
    match within.kind:
        case "elapsed":
            return at + within.elapsed
        case "business hours":
            span = timedelta(hours=within.count)
            return add_business_time(calendar, at, span) if calendar else at + span
        case "business days":
            days = timedelta(days=within.count)
            return within_business_days(calendar, at, within.count) if calendar else at + days
        case "next business day":
            return next_business_day(calendar, at) if calendar else at + timedelta(days=1)
        case "next shift":
            return next_shift(calendar, at) if calendar else at
