"""Whether one incident's rows keep what Tocsin promises: its log without holes, its state the fold of its log, its
deadlines in the ledger as the log armed and ended them. Pages: models/verification_pages.py.

Pure: everything is read before. Never repairs anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Generic

from models import evolution, review
from models.deadlines import Deadline, DeadlineStatus, ledger
from models.events import DeadlinePassed, Event, decode_event
from models.findings import ArmedRow, Astray, Case, Finding, FindingKind, LogRow, Terms, Told, finding, when
from models.flaps import Flaps
from models.review import Review
from models.review_events import ReviewEvent, decode_review_event
from models.state import Incident
from models.step import State
from models.verification_holds import hold_findings
from models.verification_pages import page_findings

OVERDUE_AFTER = timedelta(minutes=2)
"""How late a deadline may fire. It waits for a worker's next look, its lease, its topic and the lifecycle."""
_UNFOLDABLE = (ValueError, AssertionError, LookupError, TypeError, AttributeError)
"""What a log that somebody has changed can raise, when it is read and folded."""
_ADDED = frozenset({"paged_at", "heard_at", "escalated_at"})
"""What states that an older version has written lack, until something is paged again. Reopenings: _is_older."""
_ARMED = frozenset({DeadlineStatus.PENDING, DeadlineStatus.CLAIMED})


@dataclass(frozen=True, slots=True)
class _Step(Generic[State]):
    """One event of a log with the states around it."""

    row: LogRow
    event: Event | ReviewEvent
    before: State | None
    after: State


@dataclass(slots=True)
class _Fate:
    """What became of a deadline by the logs. A postmortem's may be ended by the incident and by the review."""

    deadline: Deadline
    ends: set[str] = field(default_factory=set)
    ended_at: datetime | None = None


def verify(case: Case, terms: Terms) -> list[Finding]:
    """Everything that is wrong with the incident; nothing while all is well or merely in progress."""
    found: list[Finding] = []
    incident = _folded(case, case.log, decode_event, evolution.evolve, found)
    owed = _folded(case, case.review_log, decode_review_event, review.evolve, found)
    if incident is None or owed is None:
        return found  # what follows from a broken log is worth nothing
    found += _differences(case, "incident", case.incident, incident)
    if case.review is not None or owed:
        found += _differences(case, "review", case.review, owed)
    if any(one.kind is FindingKind.LOG_BROKEN for one in found):
        return found
    found += _deadline_findings(case, _fates(incident, owed), terms)
    told = [Told(it.row.seq, it.row.at, it.row.signal_id, it.event, it.before, it.after) for it in incident]  # type: ignore[arg-type]
    return [*found, *page_findings(case, told, terms), *hold_findings(case, terms)]


def astray_findings(rows: Iterable[Astray], now: datetime) -> list[Finding]:
    """What the ledger itself shows, whoever the owner: rows of no incident, and rows that should have fired."""
    found = []
    for row in rows:
        if row.number is None:
            found.append(
                Finding(
                    kind=FindingKind.DEADLINE_UNKNOWN,
                    incident_id=row.owner_id,
                    number="",
                    message=f"the deadline '{row.deadline.name}' is armed for an incident that there is not",
                    evidence=_about(row.deadline),
                )
            )
        elif (late := now - row.deadline.due_at) > OVERDUE_AFTER:
            found.append(
                Finding(
                    kind=FindingKind.DEADLINE_OVERDUE,
                    incident_id=row.owner_id,
                    number=row.number,
                    message=f"the deadline '{row.deadline.name}' has been due for {late.total_seconds():.0f} s",
                    evidence=_about(row.deadline),
                )
            )
    return found


def _folded(
    case: Case,
    log: Sequence[LogRow],
    decode: Callable[[str], Event | ReviewEvent],
    evolve: Callable[..., State],
    found: list[Finding],
) -> list[_Step[State]] | None:
    """The log as steps from state to state; None, and a finding, where it cannot be read to its end."""
    steps: list[_Step[State]] = []
    before: State | None = None
    for place, row in enumerate(log, 1):
        evidence = {"seq": str(row.seq), "at": when(row.at)}
        if row.seq != place:
            found.append(finding(case, FindingKind.LOG_BROKEN, f"event {place} is missing from its log", evidence))
            return None
        try:
            event = decode(row.body)
            after = evolve(before, event, row.at)
        except _UNFOLDABLE as error:
            message = f"event {row.seq} cannot follow from those before it: {_first_line(error)}"
            found.append(finding(case, FindingKind.LOG_BROKEN, message, evidence))
            return None
        steps.append(_Step(row, event, before, after))
        before = after
    return steps


def _differences(
    case: Case, what: str, kept: Incident | Review | None, steps: Sequence[_Step[State]]
) -> Iterator[Finding]:
    folded = steps[-1].after if steps else None
    if kept is None or folded is None or kept.seq > folded.seq:
        message = (
            f"the {what}'s log ends at event {folded.seq if folded else 0}, its state at {kept.seq if kept else 0}"
        )
        kind = FindingKind.STATE_DIFFERS if kept is None else FindingKind.LOG_BROKEN
        yield finding(case, kind, message, {})
        return
    names = [
        name
        for name in (one.name for one in fields(folded))
        if (said := getattr(folded, name)) != (value := getattr(kept, name)) and not _is_older(name, value, said)
    ]
    if names:
        message = f"the {what} is not what its log says: {', '.join(names)}"
        evidence = {name: f"{getattr(kept, name)!s:.80}, by the log {getattr(folded, name)!s:.80}" for name in names}
        yield finding(case, FindingKind.STATE_DIFFERS, message, evidence)


def _is_older(name: str, kept: object, folded: object) -> bool:
    """Whether a state differs by what the version that wrote it did not keep yet."""
    if isinstance(kept, Flaps) and isinstance(folded, Flaps):
        later = len(folded.reopened) - len(kept.reopened)
        return later >= 0 and kept == replace(folded, reopened=folded.reopened[later:])
    return kept is None and name in _ADDED


def _fates(incident: Sequence[_Step[Incident]], owed: Sequence[_Step[Review]]) -> dict[uuid.UUID, _Fate]:
    fates: dict[uuid.UUID, _Fate] = {}
    steps: list[_Step[Incident] | _Step[Review]] = [*incident, *owed]
    for step in steps:
        before = step.before.deadlines if step.before else {}
        passed = before.get(step.event.name) if isinstance(step.event, DeadlinePassed) else None
        for entry in ledger(before, step.after.deadlines, passed.id if passed else None):
            fate = fates.setdefault(entry.deadline.id, _Fate(entry.deadline))
            if entry.status not in _ARMED:
                fate.ends.add(entry.status.value)
                fate.ended_at = min(fate.ended_at or step.row.at, step.row.at)
    return fates


def _deadline_findings(case: Case, fates: Mapping[uuid.UUID, _Fate], terms: Terms) -> Iterator[Finding]:
    rows = {row.id: row for row in case.deadlines}
    for fate in fates.values():
        row = rows.get(fate.deadline.id)
        forgotten = fate.ended_at is not None and fate.ended_at < terms.kept_since
        if row is not None:
            yield from _contradictions(case, row, fate)
        elif not forgotten:
            kind = FindingKind.DEADLINE_LOST
            about = {"deadline": str(fate.deadline.id), "due": when(fate.deadline.due_at)}
            yield finding(case, kind, f"the deadline '{fate.deadline.name}' is not in the ledger", about)
    for row in case.deadlines:
        if row.id not in fates:
            message = f"the ledger has a deadline '{row.name}' ({row.status}) that the log does not know"
            yield finding(case, FindingKind.DEADLINE_UNKNOWN, message, _about(row))


def _contradictions(case: Case, row: ArmedRow, fate: _Fate) -> Iterator[Finding]:
    name, is_armed = f"the deadline '{row.name}'", row.status in _ARMED
    if is_armed and fate.ends:
        message = f"{name} is still armed, but was {' and '.join(sorted(fate.ends))} by the log"
        yield finding(case, FindingKind.DEADLINE_UNKNOWN, message, _about(row))
    elif not is_armed and not fate.ends:
        message = f"{name} is waited for, but the ledger says {row.status}"
        yield finding(case, FindingKind.DEADLINE_LOST, message, _about(row))
    elif not is_armed and row.status not in fate.ends:
        message = f"{name} was {' and '.join(sorted(fate.ends))} by the log, but the ledger says {row.status}"
        yield finding(case, FindingKind.DEADLINE_CHANGED, message, _about(row))
    if row.due_at != fate.deadline.due_at:
        message = f"{name} was armed for another time than the ledger has"
        evidence = {**_about(row), "by the log": when(fate.deadline.due_at)}
        yield finding(case, FindingKind.DEADLINE_CHANGED, message, evidence)


def _about(row: ArmedRow) -> dict[str, str]:
    ended = {"ended": when(row.ended_at)} if row.ended_at else {}
    return {"deadline": str(row.id), "due": when(row.due_at), "status": row.status, **ended}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
