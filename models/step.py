"""One signal's consequences, ready to be written: what the transaction takes. Pure data and the fold that makes it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from models import fanout, incident, review
from models.deadlines import LedgerEntry, ledger
from models.deliveries import Delivery
from models.events import Acknowledged, Event, IncidentOpened, IncidentResolved, ReviewEvent
from models.policy import Policy
from models.review import Review
from models.signals import DeadlineReached, ReviewSignal, Signal
from models.state import Incident

State = TypeVar("State", Incident, Review)


@dataclass(frozen=True, slots=True)
class Logged:
    """One event with its place in the log of its incident or review."""

    seq: int
    at: datetime
    event: Event | ReviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[State]):
    """What one signal led to. `before` and `after` are the same object when it changed nothing."""

    signal_id: uuid.UUID
    before: State | None
    after: State | None
    events: tuple[Logged, ...]
    ledger: tuple[LedgerEntry, ...]
    deliveries: tuple[Delivery, ...]
    cancels_pages: bool = False
    """True when pages not yet sent must not be sent any more (docs/decisions/0008: an acknowledgement cancels them)."""


def step_incident(
    before: Incident | None, signal: Signal, events: Sequence[Event], policy: Policy, at: datetime
) -> Step[Incident]:
    """Folds `events` into the state and derives ledger and deliveries. Every opened incident must have its number."""
    state = before
    logged: list[Logged] = []
    entries: list[LedgerEntry] = []
    reached = signal.deadline_id if isinstance(signal, DeadlineReached) else None
    changes: list[fanout.Change] = []
    for event in events:
        previous = None if isinstance(event, IncidentOpened) else state
        state = incident.evolve(previous, event, at)
        changes.append(fanout.Change(state.seq, event, previous))
        logged.append(Logged(state.seq, at, event))
        entries += ledger(previous.deadlines if previous else {}, state.deadlines, reached)
    cancels = any(isinstance(event, Acknowledged | IncidentResolved) for event in events)
    return Step(
        signal_id=signal.id,
        before=before,
        after=state,
        events=tuple(logged),
        ledger=tuple(entries),
        deliveries=() if state is None else fanout.deliveries(changes, state, policy, at),
        cancels_pages=cancels,
    )


def step_review(
    before: Review | None, signal: ReviewSignal, events: Sequence[ReviewEvent], policy: Policy, at: datetime
) -> Step[Review]:
    """The same for a review."""
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
        deliveries += fanout.review_deliveries(state.seq, event, state, policy)
    return Step(
        signal_id=signal.id,
        before=before,
        after=state,
        events=tuple(logged),
        ledger=tuple(entries),
        deliveries=tuple(deliveries),
    )


def numbered(events: Sequence[Event], number: str) -> list[Event]:
    """`events` with the opening, if there is one, carrying the incident's number."""
    return [replace(event, number=number) if isinstance(event, IncidentOpened) else event for event in events]
