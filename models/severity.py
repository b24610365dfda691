"""The scales: severity, priority, service tier. Owns their order and nothing else; what maps to what is policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum


class Severity(StrEnum):
    """How bad it is, from SEV1 (worst) to INFO (logged, never an incident). POLICY 1, 3, 5."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"
    INFO = "INFO"

    @property
    def rank(self) -> int:
        """0 for SEV1, rising as it matters less."""
        return _RANKS[self]

    def worse_than(self, other: Severity) -> bool:
        """True when this severity matters more than `other`."""
        return self.rank < other.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Priority(StrEnum):
    """How fast it is answered, from P0 (at once) to P3 (next business day). POLICY 4."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class ServiceTier(IntEnum):
    """How much the business leans on a service; 1 is the most."""

    ONE = 1
    TWO = 2
    THREE = 3


@dataclass(frozen=True, slots=True)
class PendingSeverity:
    """A severity that a rule reaches once the condition has lasted until `due_at`."""

    severity: Severity
    due_at: datetime
    why: str
    group: str = ""
    """Whose alerts it is about; news of one group says nothing of another's."""
    acknowledge_within: timedelta | None = None
    """The clock of the rule that reaches it, where that has one."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What the policy made of some alerts. `why` has one sentence per rule that spoke, the deciding one first."""

    severity: Severity
    priority: Priority
    tier: ServiceTier
    why: tuple[str, ...]
    pending: tuple[PendingSeverity, ...] = ()
    kind: str = ""
    """The kind of incident, by its name in the policy; empty where no rule knows it. POLICY 20."""
    acknowledge_within: timedelta | None = None
    """The shortest clock of the rules that spoke, of those that have one of their own. POLICY 2."""


def worst(severities: list[Severity]) -> Severity:
    """The severity that matters most. Raises ValueError when there is none."""
    return min(severities, key=lambda severity: severity.rank)


def describe(span: timedelta) -> str:
    """`90 s`, `5 min`, `2 h`, `3 d`: a duration as people say it, exact for whole units."""
    seconds = span.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
