"""Public holidays by country and part of it, from the `holidays` package. Owns the one place that speaks to it."""

from __future__ import annotations

import difflib
from datetime import date
from functools import lru_cache

import holidays


@lru_cache(maxsize=64)
def _of(country: str, subdivision: str | None) -> holidays.HolidayBase:
    return holidays.country_holidays(country, subdiv=subdivision)


def check_place(country: str, subdivision: str | None) -> None:
    """Raises ValueError for a place whose holidays are not known."""
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise ValueError(f"country: the holidays of {country!r} are not known; write an ISO code such as DE or US")
    if subdivision is not None and subdivision not in known[country]:
        close = difflib.get_close_matches(subdivision, known[country], n=1) or sorted(known[country])[:8]
        raise ValueError(f"subdivision: {country} has no {subdivision!r}; it has {', '.join(close)}")


def holiday(country: str, subdivision: str | None, day: date) -> str | None:
    """The name of the public holiday on a day, if it is one."""
    return _of(country, subdivision).get(day)
