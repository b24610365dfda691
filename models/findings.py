"""What `tocsin verify` can find: kinds of findings, what each asks for, and the evidence that it looks at. Pure data.

What is wrong is decided in models/verification.py and its parts (verification_*.py); rows are read by the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.events import Event
from models.maintenance import MaintenanceWindow
from models.policy import Policy
from models.review import Review
from models.state import Incident


class FindingKind(StrEnum):
    """The promises, by how they can be broken."""

    LOG_BROKEN = "log-broken"
    STATE_DIFFERS = "state-differs"
    DEADLINE_OVERDUE = "deadline-overdue"
    DEADLINE_LOST = "deadline-lost"
    DEADLINE_UNKNOWN = "deadline-unknown"
    DEADLINE_CHANGED = "deadline-changed"
    NOT_PAGED = "not-paged"
    PAGE_LOST = "page-lost"
    PAGE_LATE = "page-late"
    PAGE_UNTOLD = "page-untold"
    PAGED_TWICE = "paged-twice"
    ANSWER_LOST = "answer-lost"


_TAMPERED = "find out who or what changed the database besides Tocsin; compare with a backup"

REMEDIES: Mapping[FindingKind, str] = {
    FindingKind.LOG_BROKEN: _TAMPERED,
    FindingKind.STATE_DIFFERS: _TAMPERED,
    FindingKind.DEADLINE_OVERDUE: "see that a worker runs and gets on: `tocsin doctor`",
    FindingKind.DEADLINE_LOST: "nothing waits any more: look after the incident by hand, escalate it if it is open",
    FindingKind.DEADLINE_UNKNOWN: "it will fire and change nothing; " + _TAMPERED,
    FindingKind.DEADLINE_CHANGED: _TAMPERED,
    FindingKind.NOT_PAGED: "if it is open, page somebody now: `tocsin escalate`",
    FindingKind.PAGE_LOST: "if it is open, page somebody now: `tocsin escalate`",
    FindingKind.PAGE_LATE: "see what kept Tocsin from it: its log, its load, `tocsin doctor`",
    FindingKind.PAGE_UNTOLD: "see that the worker runs; if the incident is open, escalate it by hand",
    FindingKind.PAGED_TWICE: "report it as a bug, with this line",
    FindingKind.ANSWER_LOST: "acknowledge or resolve the page at its provider by hand",
}
"""What to do about each, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise. `evidence` names ids and times."""

    kind: FindingKind
    incident_id: uuid.UUID | None
    number: str
    """Of the incident; empty where there is none."""
    message: str
    evidence: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    """When it happened, of what is over and cannot be mended; None for what stands."""

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES[self.kind]


@dataclass(frozen=True, slots=True)
class LogRow:
    """An event as it is kept; `body` is its JSON."""

    seq: int
    at: datetime
    signal_id: uuid.UUID
    body: str


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the incident's log, with the states around it."""

    seq: int
    at: datetime
    signal_id: uuid.UUID
    event: Event
    before: Incident | None
    after: Incident


@dataclass(frozen=True, slots=True)
class ArmedRow:
    """A row of the deadline ledger, armed or ended."""

    id: uuid.UUID
    name: str
    due_at: datetime
    status: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRow:
    """A page, or an acknowledge or resolve of one, as the outbox has it."""

    id: uuid.UUID
    kind: str
    lane: str
    ordinal: int | None
    status: str
    attempts: int
    unknown: bool
    detail: str
    created_at: datetime
    first_attempt_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that the database holds of one incident and its review, as of one instant. A state that cannot be read is
    None.
    """

    id: uuid.UUID
    number: str
    incident: Incident | None
    log: tuple[LogRow, ...]
    review: Review | None
    review_log: tuple[LogRow, ...]
    deadlines: tuple[ArmedRow, ...]
    deliveries: tuple[SentRow, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a case is held against: its policy, the database's present, and since when ended rows are still kept."""

    policy: Policy
    now: datetime
    kept_since: datetime
    windows: tuple[MaintenanceWindow, ...] = ()
    """Maintenance of late. POLICY 21."""


@dataclass(frozen=True, slots=True)
class Astray:
    """An armed row of the ledger that is overdue, or whose incident there is not (`number` is None)."""

    deadline: ArmedRow
    owner_id: uuid.UUID
    number: str | None


def finding(
    case: Case, kind: FindingKind, message: str, evidence: Mapping[str, str], at: datetime | None = None
) -> Finding:
    """A finding about the incident of `case`."""
    return Finding(kind=kind, incident_id=case.id, number=case.number, message=message, evidence=evidence, at=at)


def when(at: datetime | None) -> str:
    """An instant as evidence."""
    return at.isoformat(timespec="milliseconds") if at else "never"
