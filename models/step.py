"""One signal's consequences, ready to be written: what the transaction takes. Pure data and the fold that makes it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from models import copies, evolution, fanout, maintenance, maintenance_words, review, review_words
from models.deadlines import LedgerEntry, ledger
from models.deliveries import Delivery
from models.escalation_events import Acknowledged, LevelPaged
from models.events import Event, IncidentOpened, IncidentResolved
from models.maintenance import MaintenanceWindow
from models.maintenance_events import MaintenanceEvent
from models.maintenance_signals import MaintenanceSignal
from models.policy import Policy
from models.review import Review
from models.review_events import ReviewEvent
from models.review_signals import ReviewSignal
from models.signals import DeadlineReached, Signal
from models.state import Incident

State = TypeVar("State", Incident, Review, MaintenanceWindow)


@dataclass(frozen=True, slots=True)
class Logged:
    """One event with its place in the log of its incident, review or maintenance window."""

    seq: int
    at: datetime
    event: Event | ReviewEvent | MaintenanceEvent


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A page that must not be sent any more, by its lane. `reason` is for people. docs/decisions/0015."""

    lane: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[State]):
    """What one signal led to. `before` and `after` are the same object when it changed nothing."""

    signal_id: uuid.UUID
    before: State | None
    after: State | None
    events: tuple[Logged, ...]
    ledger: tuple[LedgerEntry, ...]
    deliveries: tuple[Delivery, ...]
    withdrawals: tuple[Withdrawal, ...] = ()
    """At most one per page, and none of pages that are known to have ended."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A signal's events folded into the state, before an incident that it opened has its number."""

    signal_id: uuid.UUID
    before: Incident | None
    after: Incident | None
    changes: tuple[fanout.Change, ...]
    ledger: tuple[LedgerEntry, ...]
    policy: Policy
    at: datetime

    @property
    def opens(self) -> bool:
        """True when it opened an incident."""
        return any(isinstance(change.event, IncidentOpened) for change in self.changes)


def fold(before: Incident | None, signal: Signal, events: Sequence[Event], policy: Policy, at: datetime) -> Folded:
    """Applies `events` to the state, and notes what each did to the deadlines."""
    state = before
    entries: list[LedgerEntry] = []
    changes: list[fanout.Change] = []
    reached = signal.deadline_id if isinstance(signal, DeadlineReached) else None
    for event in events:
        previous = None if isinstance(event, IncidentOpened) else state
        state = evolution.evolve(previous, event, at)
        changes.append(fanout.Change(state.seq, event, previous))
        if previous is None or previous.deadlines is not state.deadlines:
            entries += ledger(previous.deadlines if previous else {}, state.deadlines, reached)
    return Folded(signal.id, before, state, tuple(changes), tuple(entries), policy, at)


def finish(folded: Folded, numbers: Mapping[uuid.UUID, str]) -> Step[Incident]:
    """The whole step, once every incident opened in its batch has its number (by incident id). POLICY 14."""
    before, after = _numbered(folded.before, numbers), _numbered(folded.after, numbers)
    events = (_entry(change, folded.at, numbers) for change in folded.changes)
    return Step(
        signal_id=folded.signal_id,
        before=before,
        after=after,
        events=tuple(events),
        ledger=folded.ledger,
        deliveries=() if after is None else fanout.deliveries(folded.changes, after, folded.policy, folded.at),
        withdrawals=_withdrawals(folded.changes),
    )


def _withdrawals(changes: Sequence[fanout.Change]) -> tuple[Withdrawal, ...]:
    """Somebody has it, or it is the turn of another level: what could not be sent until now would wake people for
    nothing.
    """
    reasons: dict[str, str] = {}
    for change in changes:
        match change.event:
            case Acknowledged() | IncidentResolved():
                reason = "acknowledged or resolved before it was sent"
            case LevelPaged(level=level):
                reason = f"superseded by the page to {level} before it could be sent"
            case _:
                continue
        if change.before is not None:
            for page in change.before.pages:
                if page.is_sent and not (page.received or page.failed):
                    reasons.setdefault(change.before.dedup_key(page), reason)
    return tuple(Withdrawal(lane, reason) for lane, reason in reasons.items())


def _numbered(state: Incident | None, numbers: Mapping[uuid.UUID, str]) -> Incident | None:
    return copies.replace(state, number=numbers[state.id]) if state is not None and state.id in numbers else state


def _entry(change: fanout.Change, at: datetime, numbers: Mapping[uuid.UUID, str]) -> Logged:
    event = change.event
    if isinstance(event, IncidentOpened):
        event = replace(event, number=numbers[event.incident_id])
    return Logged(change.seq, at, event)


def step_review(
    before: Review | None, signal: ReviewSignal, events: Sequence[ReviewEvent], policy: Policy, at: datetime
) -> Step[Review]:
    """Folds a review's events and derives ledger and reminders."""
    state = before
    logged: list[Logged] = []
    entries: list[LedgerEntry] = []
    deliveries: list[Delivery] = []
    reached = signal.deadline_id if isinstance(signal, DeadlineReached) else None
    for event in events:
        previous = state
        state = review.evolve(previous, event, at)
        logged.append(Logged(state.seq, at, event))
        entries += ledger(previous.deadlines if previous else {}, state.deadlines, reached)
        deliveries += review_words.deliveries(state.seq, event, state, policy)
    return Step(
        signal_id=signal.id,
        before=before,
        after=state,
        events=tuple(logged),
        ledger=tuple(entries),
        deliveries=tuple(deliveries),
    )


def step_maintenance(
    before: MaintenanceWindow | None,
    signal: MaintenanceSignal,
    events: Sequence[MaintenanceEvent],
    policy: Policy,
    at: datetime,
) -> Step[MaintenanceWindow]:
    """Folds a maintenance window's events and derives ledger and announcements."""
    state = before
    logged: list[Logged] = []
    entries: list[LedgerEntry] = []
    deliveries: list[Delivery] = []
    reached = signal.deadline_id if isinstance(signal, DeadlineReached) else None
    for event in events:
        previous = state
        state = maintenance.evolve(previous, event, at)
        logged.append(Logged(state.seq, at, event))
        entries += ledger(previous.deadlines if previous else {}, state.deadlines, reached)
        deliveries += maintenance_words.deliveries(event, state, policy)
    return Step(
        signal_id=signal.id,
        before=before,
        after=state,
        events=tuple(logged),
        ledger=tuple(entries),
        deliveries=tuple(deliveries),
    )
