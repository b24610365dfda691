"""The one place that reads the wall clock. Everything else is given `now`, or a `Clock` to ask for it.

Incidents never live by this clock: their `now` is the database's, taken in the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers with the present instant, aware and in UTC."""


def utc_now() -> datetime:
    """The machine's present instant, in UTC."""
    return datetime.now(UTC)
