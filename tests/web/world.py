"""A world for the HTTP side: real agents on a store and a log in memory, behind the ports that web is built from."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from agents import lifecycle, review, triage
from agents.lifecycle import LifecyclePorts
from agents.review import ReviewPorts
from agents.triage import TriagePorts
from models.deliveries import Delivery, DeliveryKind, Provider
from models.feed import FeedEntry, FeedRecord, encode_feed
from models.policy import Policy
from models.records import Outgoing, Record
from models.review import Review
from models.state import Incident
from models.statuspage import Publication
from models.step import Logged, State, Step
from models.store.rows import DeadlineRow, DeliveryRow, Figures, Handled, IncidentFilter, Position, ReviewOf
from notifiers.render import publication
from streams import topics
from streams.clock import utc_now
from streams.settings import Settings, policy_in_force
from streams.web.ports import WebPorts

_T = TypeVar("_T")


@dataclass
class _Table(Generic[State]):
    """States by key and everything else that the transaction writes."""

    states: dict[str, State] = field(default_factory=dict)
    log: dict[uuid.UUID, list[Logged]] = field(default_factory=dict)
    ledger: dict[uuid.UUID, DeadlineRow] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loaded(Generic[State]):
    now: datetime
    fresh: frozenset[uuid.UUID]
    states: dict[str, State]


class _Transaction(Generic[State]):
    def __init__(self, store: MemoryStore, table: _Table[State]) -> None:
        self._store = store
        self._table: _Table[State] = table

    async def begin(self, signals: Sequence[tuple[uuid.UUID, str, str]]) -> _Loaded[State]:
        fresh = frozenset(signal_id for signal_id, _, _ in signals if signal_id not in self._store.inbox)
        return _Loaded(await self._store.now(), fresh, dict(self._table.states))

    async def numbers(self, count: int, now: datetime) -> list[str]:
        start = self._store.numbered
        self._store.numbered += count
        return [f"INC-{now:%Y-%m%d}-{number:03}" for number in range(start + 1, start + count + 1)]

    async def save(self, steps: Sequence[Step[State]]) -> frozenset[Provider]:
        told: set[Provider] = set()
        for step in steps:
            self._store.inbox[step.signal_id] = bool(step.events)
            if step.after is None:
                continue
            owner = step.after.incident_id if isinstance(step.after, Review) else step.after.id
            key = str(owner) if isinstance(step.after, Review) else step.after.key
            self._table.states[key] = step.after
            self._table.log.setdefault(owner, []).extend(step.events)
            for entry in step.ledger:
                due = entry.deadline
                self._table.ledger[due.id] = DeadlineRow(
                    id=due.id, incident_id=owner, name=due.name, due_at=due.due_at, status=entry.status
                )
            self._store.deliveries += step.deliveries
            told.update(delivery.provider for delivery in step.deliveries)
        return frozenset(told)


class MemoryStore:
    """The store's transaction and the web's questions to it, in memory."""

    def __init__(self) -> None:
        self.incident_table: _Table[Incident] = _Table()
        self.review_table: _Table[Review] = _Table()
        self.inbox: dict[uuid.UUID, bool] = {}
        self.deliveries: tuple[Delivery, ...] = ()
        self.numbered = 0
        self.away: Exception | None = None

    @contextlib.asynccontextmanager
    async def incidents(self) -> AsyncIterator[_Transaction[Incident]]:
        yield _Transaction(self, self.incident_table)

    @contextlib.asynccontextmanager
    async def reviews(self) -> AsyncIterator[_Transaction[Review]]:
        yield _Transaction(self, self.review_table)

    async def now(self) -> datetime:
        return utc_now()


class MemoryReads:
    """Reads of a MemoryStore. Raises `store.away` while that is set."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def _answer(self, value: _T) -> _T:
        if self._store.away is not None:
            raise self._store.away
        return value

    async def now(self) -> datetime:
        return self._answer(utc_now())

    async def incidents(self, which: IncidentFilter, after: Position | None, limit: int) -> Sequence[Incident]:
        def wanted(one: Incident) -> bool:
            return (
                (which.statuses is None or one.status in which.statuses)
                and (which.severities is None or one.severity in which.severities)
                and which.service in {None, one.service}
                and (after is None or (one.opened_at, one.id) < (after.opened_at, after.incident_id))
            )

        found = sorted(self._all(), key=lambda one: (one.opened_at, one.id), reverse=True)
        return [one for one in found if wanted(one)][:limit]

    def _all(self) -> Sequence[Incident]:
        return list(self._answer(self._store.incident_table.states).values())

    async def incident_by_number(self, number: str) -> Incident | None:
        return next((one for one in self._all() if one.number == number), None)

    async def incident_by_id(self, incident_id: uuid.UUID) -> Incident | None:
        return next((one for one in self._all() if one.id == incident_id), None)

    async def timeline(self, incident_id: uuid.UUID) -> Sequence[Logged]:
        return self._answer(self._store.incident_table.log.get(incident_id, []))

    async def deliveries(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeliveryRow]:
        rows = [_row(one) for one in self._answer(self._store.deliveries) if incident_id in {None, one.incident_id}]
        return rows[::-1][:limit]

    async def delivery(self, delivery_id: uuid.UUID) -> DeliveryRow | None:
        return next((row for row in await self.deliveries(None, 10_000) if row.id == delivery_id), None)

    async def deadlines(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeadlineRow]:
        rows = {**self._store.incident_table.ledger, **self._store.review_table.ledger}.values()
        wanted = [
            row for row in rows if (row.status == "pending" if incident_id is None else row.incident_id == incident_id)
        ]
        return self._answer(sorted(wanted, key=lambda row: row.due_at)[:limit])

    async def postmortems(self) -> Sequence[ReviewOf]:
        reviews = self._answer(self._store.review_table.states).values()
        return [ReviewOf(one.incident_id, one.number, one.postmortem) for one in reviews if one.postmortem]

    async def action_items(self, incident_id: uuid.UUID | None) -> Sequence[ReviewOf]:
        reviews = self._answer(self._store.review_table.states).values()
        return [
            ReviewOf(one.incident_id, one.number, item)
            for one in reviews
            for item in one.items.values()
            if incident_id in {None, one.incident_id}
        ]

    async def action_item(self, item_id: uuid.UUID) -> ReviewOf | None:
        items = await self.action_items(None)
        return next((one for one in items if getattr(one.what, "id", None) == item_id), None)

    async def handled(self, signal_id: uuid.UUID) -> Handled | None:
        changed = self._answer(self._store.inbox).get(signal_id)
        return None if changed is None else Handled(changed)

    async def publications(self) -> Sequence[Publication]:
        told = self._answer(self._store.deliveries)
        return [publication(one) for one in told if one.kind is DeliveryKind.PUBLICATION]

    async def figures(self) -> Figures:
        open_incidents: dict[str, int] = {}
        for one in self._all():
            if one.is_open:
                open_incidents[one.severity] = open_incidents.get(one.severity, 0) + 1
        return Figures(open_incidents=open_incidents)


def _row(delivery: Delivery) -> DeliveryRow:
    return DeliveryRow(
        id=delivery.id,
        incident_id=delivery.incident_id,
        provider=delivery.provider,
        kind=delivery.kind,
        status="pending",
        attempts=0,
        created_at=utc_now(),
        level=delivery.page.level if delivery.page else None,
        test=bool(delivery.page and delivery.page.test),
    )


class World:
    """Published records go straight through the real agents, unless `asleep`; `broken` makes the broker fail."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = MemoryStore()
        self.reads = MemoryReads(self.store)
        self.published: list[Outgoing] = []
        self.asleep = False
        self.ahead = timedelta(0)
        self.broken: Callable[[], Any] | None = None
        self.policy = policy_in_force(settings)
        keys: Callable[[str], Any] = self._keys_of_group
        self._triage = TriagePorts(self.policy.policy, self.policy.version, self.publish, keys, topics.SIGNALS)
        self._lifecycle = LifecyclePorts(self.store, self, self.publish, lambda provider: f"deliveries.{provider}")
        self._review = ReviewPorts(self.store, self, self.publish, topics.DELIVERIES_SLACK)

    async def of(self, version: str | None) -> Policy:
        """The book of policies: there is one."""
        return self.policy.policy

    async def _keys_of_group(self, group: str) -> Sequence[str]:
        return []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.broken is not None:
            await self.broken()
        self.published += records
        for one in () if self.asleep else records:
            record = Record(one.topic, 0, len(self.published), one.key, one.value, one.headers)
            if one.topic == topics.WEBHOOKS:
                await triage.run([record], self._triage)
            elif one.topic == topics.SIGNALS:
                await lifecycle.run([record], self._lifecycle)
                await self._feed()
            elif one.topic == topics.REVIEW_SIGNALS:
                await review.run([record], self._review)

    async def _feed(self) -> None:
        for one in self.store.incident_table.states.values():
            log = self.store.incident_table.log[one.id]
            feed = FeedRecord(
                incident_id=one.id,
                key=one.key,
                number=one.number,
                title=one.title,
                service=one.service,
                severity=one.severity,
                priority=one.priority,
                status=one.status,
                policy_version=one.policy_version,
                events=tuple(FeedEntry(entry.seq, entry.at, entry.event) for entry in log),  # type: ignore[arg-type]
            )
            await review.follow([Record(topics.EVENTS, 0, 0, b"", encode_feed(feed))], self._review)

    async def enqueue(self, delivery: Delivery) -> None:
        if self.store.away is not None:
            raise self.store.away
        if all(known.id != delivery.id for known in self.store.deliveries):
            self.store.deliveries += (delivery,)

    async def broker_answers(self) -> None:
        if self.broken is not None:
            await self.broken()

    def records(self, topic: str) -> list[Outgoing]:
        return [record for record in self.published if record.topic == topic]

    def ports(self) -> WebPorts:
        recording: Mapping[str, bool] = dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), True)
        return WebPorts(
            settings=self.settings,
            policy=self.policy,
            policies=self,
            publish=self.publish,
            reads=self.reads,
            enqueue=self.enqueue,
            broker_answers=self.broker_answers,
            recording=recording,
            clock=lambda: utc_now() + self.ahead,
        )


def webhook(**changes: Any) -> dict[str, Any]:
    """A version 4 webhook with one critical alert on checkout."""
    labels = {"alertname": "HighErrorRate", "service": "checkout", "namespace": "shop", "severity": "critical"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "Checkout fails"},
        "startsAt": (utc_now() - timedelta(minutes=1)).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "a1b2c3d4e5f60718",
    }
    whole = {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "status": "firing",
        "receiver": "tocsin",
        "alerts": [alert],
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "truncatedAlerts": 0,
    }
    return {**whole, **changes}


__all__ = ["MemoryReads", "MemoryStore", "World", "replace", "webhook"]
