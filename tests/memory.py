"""A store in memory, for stories on a stepped clock. Satisfies the same ports as models.store."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic

from models import wire
from models.deadlines import POSTMORTEM, Deadline, DeadlineStatus
from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Refused
from models.feed import Excerpt, FeedRecord, Written, decode_feed, encode_feed
from models.maintenance import MaintenanceWindow
from models.maintenance_events import Fired
from models.review import Review
from models.state import Incident
from models.step import Logged, State, Step
from models.surroundings import NOTHING_ASKED, Neighbour, Question, Surroundings
from tests.memory_heartbeats import MemoryHeartbeats

_ENDED = {DeadlineStatus.FIRED, DeadlineStatus.CANCELLED, DeadlineStatus.SUPERSEDED}
_ENDINGS = {"incident_resolved", "incident_reopened"}
_LANE_ANSWERS = {DeliveryKind.PAGE_ACKNOWLEDGE, DeliveryKind.PAGE_RESOLVE}


@dataclass
class Loaded(Generic[State]):
    now: datetime
    fresh: frozenset[uuid.UUID]
    states: dict[str, State]
    around: Surroundings


@dataclass
class Row:
    """One deadline of the ledger."""

    deadline: Deadline
    topic: str
    key: str
    status: DeadlineStatus
    owner: str
    ended_at: datetime | None = None

    @property
    def id(self) -> uuid.UUID:
        return self.deadline.id

    @property
    def name(self) -> str:
        return self.deadline.name

    @property
    def due_at(self) -> datetime:
        return self.deadline.due_at


@dataclass
class Sent:
    """One delivery of the outbox and how it fared."""

    delivery: Delivery
    status: str = "pending"
    detail: str = ""
    attempts: int = 0
    unknown: bool = False
    due_at: datetime | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    age: timedelta = timedelta(0)
    told: set[str] = field(default_factory=set)
    receipts: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    delivery: Delivery
    outcome: Any
    detail: str
    at: datetime


class MemoryStore:
    """All that PostgreSQL holds, and nothing of how."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.inbox: set[uuid.UUID] = set()
        self.groups: set[tuple[str, str]] = set()
        self.incidents_by_id: dict[uuid.UUID, Incident] = {}
        self.reviews_by_key: dict[str, Review] = {}
        self.windows: dict[str, MaintenanceWindow] = {}
        self.log: list[tuple[str, Logged]] = []
        self.review_log: list[tuple[str, Logged]] = []
        self.maintenance_log: list[tuple[str, Logged]] = []
        self.causes: dict[tuple[str, str, int], uuid.UUID] = {}
        """The signal behind every entry of both logs: by topic, owner and place."""
        self.ledger: dict[uuid.UUID, Row] = {}
        self.outbox: list[Sent] = []
        self.published_upto = 0
        self.numbered = 0
        self.renewed: list[str] = []
        self.heartbeats = MemoryHeartbeats(now)
        self.away: Exception | None = None
        """Raised instead of writing outcomes, while it is set."""

    def latest(self, key: str) -> Incident | None:
        found = [incident for incident in self.incidents_by_id.values() if incident.key == key]
        return max(found, key=lambda incident: incident.generation, default=None)

    def surroundings(self, question: Question) -> Surroundings:
        """What models/store/neighbours.py asks PostgreSQL."""
        by_age = sorted(self.incidents_by_id.values(), key=lambda incident: incident.generation)
        latest = list({incident.key: incident for incident in by_age}.values())
        alone = [one for one in latest if one.is_open and one.parent is None and one.service in question.services]
        keys = {*question.keys, *(one.parent for one in latest if one.key in question.keys and one.parent)}
        since = self.now() - question.window
        begun = Counter(one.environment for one in self.incidents_by_id.values() if one.opened_at > since)
        return Surroundings(
            worst={
                (one.environment, one.service): Neighbour.of(one)
                for one in sorted(alone, key=lambda one: (one.severity.rank, one.opened_at), reverse=True)
            },
            by_key={one.key: Neighbour.of(one) for one in latest if one.is_open and one.key in keys},
            attached=dict(Counter(one.parent for one in latest if one.is_open and one.parent in question.attached_to)),
            begun={name: min(begun[name], question.most) for name in question.environments},
            windows=tuple(
                it for it in self.windows.values() if it.is_in_force(self.now()) or it.is_watched(self.now())
            ),
        )

    @asynccontextmanager
    async def incidents(self) -> AsyncIterator[_IncidentTransaction]:
        yield _IncidentTransaction(self)

    @asynccontextmanager
    async def reviews(self) -> AsyncIterator[_ReviewTransaction]:
        yield _ReviewTransaction(self)

    @asynccontextmanager
    async def maintenance(self) -> AsyncIterator[_MaintenanceTransaction]:
        yield _MaintenanceTransaction(self)

    async def held(self) -> list[tuple[str, str, str]]:
        return [(it.key, it.service, it.environment) for it in self.incidents_by_id.values() if "wake" in it.deadlines]

    async def remember_groups(self, told: Collection[tuple[str, str]]) -> None:
        self.groups |= set(told)

    async def keys_of_groups(self, groups: Sequence[str]) -> dict[str, list[str]]:
        return {group: [key for known, key in self.groups if known == group] for group in groups}

    # --- deadlines

    async def claim_due(self, limit: int, lease: timedelta) -> list[Row]:
        due = sorted(
            (row for row in self.ledger.values() if row.status is DeadlineStatus.PENDING), key=lambda row: row.due_at
        )
        claimed = [row for row in due if row.due_at <= self.now()][:limit]
        for row in claimed:
            row.status = DeadlineStatus.CLAIMED
        return claimed

    async def until_next(self) -> timedelta | None:
        waiting = [row.due_at for row in self.ledger.values() if row.status is DeadlineStatus.PENDING]
        return min(waiting) - self.now() if waiting else None

    # --- outbox

    async def claim(self, provider: str, limit: int, lease: timedelta) -> list[Sent]:
        taken: set[str] = set()
        heads = []
        for sent in self.outbox:
            if sent.status != "pending" or sent.delivery.lane in taken:
                continue
            taken.add(sent.delivery.lane)
            if sent.delivery.provider == provider and (sent.due_at is None or sent.due_at <= self.now()):
                heads.append(sent)
        heads = sorted(heads, key=lambda sent: sent.delivery.urgency)[:limit]
        for sent in heads:
            sent.receipts = self.receipts_of(sent.delivery)
            sent.age = self.now() - (sent.created_at or self.now())
        return heads

    def receipts_of(self, delivery: Delivery) -> dict[str, str]:
        return {
            name: value
            for sent in self.outbox
            if sent.delivery.incident_id == delivery.incident_id
            for name, value in sent.receipts.items()
            if sent.delivery.provider is delivery.provider
            or (name == "ticket_url" and delivery.provider is Provider.SLACK)
        }

    async def renew(self, claimed: Sequence[Any], lease: timedelta) -> None:
        """Leases do not run out here, but a claim of what is under way would be a second one."""
        self.renewed += [one.delivery.lane for one in claimed]

    async def finish(self, finished: Sequence[tuple[Any, Outcome, timedelta | None]]) -> set[Provider]:
        if self.away is not None:
            raise self.away
        for sent, outcome, retry_in in finished:
            sent.attempts += 1
            sent.detail = getattr(outcome, "detail", "") or getattr(outcome, "reason", "")
            if isinstance(outcome, Delivered):
                sent.status, sent.receipts = "delivered", dict(outcome.receipts)
            elif isinstance(outcome, Refused):
                sent.status = "refused"
            else:
                sent.due_at = self.now() + (retry_in or timedelta(0))
                sent.unknown |= outcome.unknown
                continue
            sent.ended_at = self.now()
        over = {sent.delivery.lane for sent, _, _ in finished if sent.status != "pending"}
        return {it.delivery.provider for it in self.outbox if it.status == "pending" and it.delivery.lane in over}

    async def reports(self, limit: int, late_after: timedelta, patience: timedelta) -> list[Report]:
        found = []
        for sent in self.outbox:
            if sent.delivery.kind is not DeliveryKind.PAGE:
                continue
            late = (
                sent.status == "pending" and sent.created_at is not None and self.now() - sent.created_at >= late_after
            )
            outcome = {"delivered": "delivered", "refused": "refused"}.get(sent.status, "delayed" if late else "")
            fresh = outcome == "delivered" and sent.ended_at is not None and self.now() - sent.ended_at < patience
            if outcome and outcome not in sent.told and not fresh:
                found.append(Report(sent.delivery, outcome, sent.detail, self.now()))
        return sorted(found, key=lambda one: one.outcome == "delivered")[:limit]

    async def reported(self, reports: Sequence[Any]) -> None:
        told = {(report.delivery.id, report.outcome) for report in reports}
        for sent in self.outbox:
            sent.told |= {outcome for delivery_id, outcome in told if delivery_id == sent.delivery.id}

    # --- feed

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[bool]:
        yield True

    async def unpublished(self, limit: int) -> list[Excerpt]:
        return [self._feed(owner, entry) for owner, entry in self.log[self.published_upto :]]

    def _feed(self, owner: str, entry: Logged) -> Excerpt:
        incident = self.incidents_by_id[uuid.UUID(owner)]
        about = FeedRecord(
            incident_id=incident.id,
            key=incident.key,
            number=incident.number,
            title=incident.title,
            service=incident.service,
            severity=incident.severity,
            priority=incident.priority,
            status=incident.status,
            policy_version=incident.policy_version,
            events=(),
        )
        return Excerpt(about, (Written(entry.seq, entry.at, entry.event.kind, wire.encode(entry.event).decode()),))

    async def endings(self, incidents: Sequence[uuid.UUID]) -> list[FeedRecord]:
        told: dict[str, Excerpt] = {}
        for owner, entry in self.log:
            if entry.event.kind in _ENDINGS and uuid.UUID(owner) in incidents:
                record = self._feed(owner, entry)
                before = told[owner].events if owner in told else ()
                told[owner] = replace(record, events=(*before, *record.events))
        return [decode_feed(encode_feed(excerpt)) for excerpt in told.values()]

    async def published(self, records: Sequence[Excerpt]) -> None:
        self.published_upto = len(self.log)


class _Transaction(Generic[State]):
    topic: str

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.kinds: dict[uuid.UUID, str] = {}

    async def begin(
        self, signals: Sequence[tuple[uuid.UUID, str, str]], question: Question = NOTHING_ASKED
    ) -> Loaded[State]:
        fresh = frozenset(signal_id for signal_id, _, _ in signals if signal_id not in self.store.inbox)
        self.store.inbox |= fresh
        states = {key: state for _, _, key in signals if (state := self.state(key)) is not None}
        return Loaded(self.store.now(), fresh, states, self.store.surroundings(question))

    def state(self, key: str) -> State | None:
        raise NotImplementedError

    def keep(self, state: State) -> tuple[str, str]:
        raise NotImplementedError

    async def numbers(self, count: int, now: datetime) -> list[str]:
        first = self.store.numbered + 1
        self.store.numbered += count
        return [f"INC-{now:%Y-%m%d}-{number:03d}" for number in range(first, first + count)]

    async def save(self, steps: Sequence[Step[State]]) -> frozenset[Provider]:
        for step in steps:
            if step.after is None:
                continue
            owner, key = self.keep(step.after)
            log = {
                "incident.signals": self.store.log,
                "review.signals": self.store.review_log,
                "maintenance.signals": self.store.maintenance_log,
            }[self.topic]
            log += [(owner, entry) for entry in step.events]
            self.store.causes |= {(self.topic, owner, entry.seq): step.signal_id for entry in step.events}
            for change in step.ledger:
                self._enter(change.deadline, change.status, key, owner)
            self.store.outbox += [Sent(delivery, created_at=self.store.now()) for delivery in step.deliveries]
            self._withdraw({withdrawal.lane: withdrawal.reason for withdrawal in step.withdrawals})
        return frozenset(delivery.provider for step in steps for delivery in step.deliveries)

    def _enter(self, deadline: Deadline, status: DeadlineStatus, key: str, owner: str) -> None:
        row = self.store.ledger.get(deadline.id)
        if row is None:
            to_review = self.topic == "review.signals" or deadline.name == POSTMORTEM
            topic, key = ("review.signals", owner) if to_review else (self.topic, key)
            self.store.ledger[deadline.id] = row = Row(deadline, topic, key, status, owner)
        elif row.status not in _ENDED and status is not DeadlineStatus.PENDING:
            row.status = status
        if row.status in _ENDED and row.ended_at is None:
            row.ended_at = self.store.now()

    def _withdraw(self, reasons: dict[str, str]) -> None:
        pages = [sent for sent in self.store.outbox if sent.delivery.kind is DeliveryKind.PAGE]
        for sent in pages:
            if sent.delivery.lane in reasons and sent.status == "pending":
                sent.status, sent.detail, sent.ended_at = "cancelled", reasons[sent.delivery.lane], self.store.now()
        never_sent = {sent.delivery.lane for sent in pages if sent.status == "cancelled" and not sent.unknown}
        self.store.outbox = [
            sent
            for sent in self.store.outbox
            if not (sent.delivery.kind in _LANE_ANSWERS and sent.delivery.lane in never_sent)
        ]


class _IncidentTransaction(_Transaction[Incident]):
    topic = "incident.signals"

    def state(self, key: str) -> Incident | None:
        return self.store.latest(key)

    def keep(self, state: Incident) -> tuple[str, str]:
        self.store.incidents_by_id[state.id] = state
        return str(state.id), state.key


class _ReviewTransaction(_Transaction[Review]):
    topic = "review.signals"

    def state(self, key: str) -> Review | None:
        return self.store.reviews_by_key.get(key)

    def keep(self, state: Review) -> tuple[str, str]:
        self.store.reviews_by_key[str(state.incident_id)] = state
        return str(state.incident_id), str(state.incident_id)


class _MaintenanceTransaction(_Transaction[MaintenanceWindow]):
    topic = "maintenance.signals"

    def state(self, key: str) -> MaintenanceWindow | None:
        return self.store.windows.get(key)

    def keep(self, state: MaintenanceWindow) -> tuple[str, str]:
        self.store.windows[str(state.id)] = state
        return str(state.id), str(state.id)

    async def fired(self, window: MaintenanceWindow, now: datetime) -> list[Fired]:
        held = {
            owner
            for owner, entry in self.store.log
            if entry.event.kind == "page_held" and window.starts_at <= entry.at <= now
        }
        return [
            Fired(it.number, it.title, it.service, it.severity, it.is_open)
            for it in sorted(self.store.incidents_by_id.values(), key=lambda it: it.opened_at)
            if window.covers(it.service, it.environment)
            and (window.starts_at <= it.opened_at <= now or str(it.id) in held)
        ]
