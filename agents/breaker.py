"""A circuit breaker with one probe, and a pace that a provider's 429s slow down. POLICY 32. Pure: `now` is an
argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=30)
"""A provider that is back is noticed within this."""


class Circuit(StrEnum):
    """closed: all may pass; open: none; half-open: one probe is under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class Breaker:
    """One per provider and worker. Opens after FAILURES_TO_OPEN failures in a row and probes with a single delivery."""

    circuit: Circuit = Circuit.CLOSED
    failures: int = 0
    pause: timedelta = FIRST_PAUSE
    open_until: datetime | None = None

    def allowance(self, now: datetime, wanted: int) -> int:
        """How many deliveries may start now, at most `wanted`. Asking while a pause has run out begins the probe."""
        if self.circuit is Circuit.CLOSED or wanted == 0:
            return wanted
        if self.circuit is Circuit.OPEN and self.open_until is not None and now >= self.open_until:
            return 1
        return 0

    def started(self) -> None:
        """A delivery was started; if the circuit was open, it is the probe."""
        if self.circuit is Circuit.OPEN:
            self.circuit = Circuit.HALF_OPEN

    def succeeded(self) -> None:
        """The provider answered (a refusal or a 429 is an answer, too)."""
        self.circuit, self.failures, self.pause, self.open_until = Circuit.CLOSED, 0, FIRST_PAUSE, None

    def failed(self, now: datetime) -> None:
        """The provider did not answer, or said that it is down."""
        self.failures += 1
        if self.circuit is Circuit.HALF_OPEN:
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
        if self.circuit is Circuit.HALF_OPEN or self.failures >= FAILURES_TO_OPEN:
            self.circuit, self.open_until = Circuit.OPEN, now + self.pause


@dataclass(slots=True)
class Pace:
    """How many deliveries may be under way at once: halved by every 429, regained one by one."""

    most: int
    width: int = 0

    def __post_init__(self) -> None:
        self.width = self.width or self.most

    def slow_down(self) -> None:
        """The provider said that we are too fast."""
        self.width = max(1, self.width // 2)

    def speed_up(self) -> None:
        """The provider took one."""
        self.width = min(self.most, self.width + 1)
