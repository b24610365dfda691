"""A world for the HTTP side: real agents on a store in memory, behind the ports that web is built from."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from agents import lifecycle, maintenance, relay, review, triage
from agents.lifecycle import LifecyclePorts
from agents.maintenance import MaintenancePorts
from agents.review import ReviewPorts
from agents.triage import TriagePorts
from models.deliveries import Delivery, DeliveryKind, Provider
from models.heartbeats import Watched
from models.maintenance import MaintenanceWindow
from models.policy import Policy
from models.records import Outgoing, Record
from models.state import Incident
from models.statuspage import Publication
from models.step import Logged
from models.store.rows import DeadlineRow, DeliveryRow, Figures, Handled, IncidentFilter, Position, ReviewOf, Ticket
from notifiers.render import publication
from streams import topics
from streams.calendars import Fetched
from streams.clock import utc_now
from streams.rota import ReadCalendars
from streams.settings import Settings, policy_in_force
from streams.web.ports import WebPorts
from tests.memory import MemoryStore, Sent

_T = TypeVar("_T")


async def no_calendars(_: Policy) -> Mapping[str, Fetched]:
    """No schedule is kept elsewhere."""
    return {}


class MemoryReads:
    """Answers from a MemoryStore; raises `away` while that is set. `changed` says what became of each signal."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.changed: dict[uuid.UUID, bool] = {}
        self.away: Exception | None = None

    def _answer(self, value: _T) -> _T:
        if self.away is not None:
            raise self.away
        return value

    async def now(self) -> datetime:
        return self._answer(self._store.now())

    async def incidents(self, which: IncidentFilter, after: Position | None, limit: int) -> Sequence[Incident]:
        def wanted(one: Incident) -> bool:
            return (
                (which.statuses is None or one.status in which.statuses)
                and (which.severities is None or one.severity in which.severities)
                and which.service in {None, one.service}
                and which.parent in {None, one.parent}
                and (after is None or (one.opened_at, one.id) < (after.opened_at, after.incident_id))
            )

        found = sorted(self._all(), key=lambda one: (one.opened_at, one.id), reverse=True)
        return [one for one in found if wanted(one)][:limit]

    def _all(self) -> Sequence[Incident]:
        return list(self._answer(self._store.incidents_by_id).values())

    async def incident_by_number(self, number: str) -> Incident | None:
        return next((one for one in self._all() if one.number == number), None)

    async def incident_by_id(self, incident_id: uuid.UUID) -> Incident | None:
        return self._answer(self._store.incidents_by_id).get(incident_id)

    async def timeline(self, incident_id: uuid.UUID) -> Sequence[Logged]:
        return [entry for owner, entry in self._answer(self._store.log) if owner == str(incident_id)]

    async def deliveries(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeliveryRow]:
        sent = [one for one in self._answer(self._store.outbox) if incident_id in {None, one.delivery.incident_id}]
        return [_row(one) for one in sent[::-1][:limit]]

    async def delivery(self, delivery_id: uuid.UUID) -> DeliveryRow | None:
        return next((row for row in await self.deliveries(None, 10_000) if row.id == delivery_id), None)

    async def deadlines(self, incident_id: uuid.UUID | None, limit: int) -> Sequence[DeadlineRow]:
        incident = None if incident_id is None else self._store.incidents_by_id.get(incident_id)
        keys = {str(incident_id), incident.key if incident else None}
        rows = [
            DeadlineRow(id=row.id, incident_id=incident_id, name=row.name, due_at=row.due_at, status=row.status)
            for row in self._answer(self._store.ledger).values()
            if (row.status == "pending" if incident_id is None else row.key in keys)
        ]
        return sorted(rows, key=lambda row: row.due_at)[:limit]

    async def postmortems(self) -> Sequence[ReviewOf]:
        reviews = self._answer(self._store.reviews_by_key).values()
        return [ReviewOf(one.incident_id, one.number, one.postmortem) for one in reviews if one.postmortem]

    async def action_items(self, incident_id: uuid.UUID | None) -> Sequence[ReviewOf]:
        reviews = self._answer(self._store.reviews_by_key).values()
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
        changed = self._answer(self.changed).get(signal_id)
        return None if changed is None else Handled(changed)

    async def tickets(self, incidents: Collection[uuid.UUID]) -> dict[uuid.UUID, Ticket]:
        return {
            owner: Ticket(sent.receipts["ticket_url"], sent.receipts.get("ticket"))
            for sent in self._answer(self._store.outbox)
            if (owner := sent.delivery.incident_id) in incidents and owner and "ticket_url" in sent.receipts
        }

    async def publications(self) -> Sequence[Publication]:
        told = [one.delivery for one in self._answer(self._store.outbox)]
        return [publication(one) for one in told if one.kind is DeliveryKind.PUBLICATION]

    async def windows(self) -> Sequence[MaintenanceWindow]:
        return sorted(self._answer(self._store.windows).values(), key=lambda one: one.starts_at)

    async def window(self, window_id: uuid.UUID) -> MaintenanceWindow | None:
        return self._answer(self._store.windows).get(str(window_id))

    async def figures(self) -> Figures:
        return Figures(open_incidents=Counter(one.severity for one in self._all() if one.is_open))

    async def heartbeats(self) -> Sequence[Watched]:
        return [row for _, row in sorted(self._answer(self._store.heartbeats.rows).items())]

    async def enqueue(self, delivery: Delivery) -> None:
        self._answer(self._store.outbox).append(Sent(delivery))


def _row(sent: Sent) -> DeliveryRow:
    page = sent.delivery.page
    return DeliveryRow(
        id=sent.delivery.id,
        incident_id=sent.delivery.incident_id,
        provider=sent.delivery.provider,
        kind=sent.delivery.kind,
        status=sent.status,
        attempts=sent.attempts,
        created_at=sent.created_at or utc_now(),
        detail=sent.detail,
        level=page.level if page else None,
        test=bool(page and page.test),
    )


class World:
    """Published records go straight through the real agents, unless `asleep`; `broken` makes the broker fail."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ahead = timedelta(0)
        self.store = MemoryStore(self.now)
        self.reads = MemoryReads(self.store)
        self.published: list[Outgoing] = []
        self.replies: list[tuple[str, str]] = []
        self.calendars: ReadCalendars = no_calendars
        self.asleep = False
        self.broken: Callable[[], Any] | None = None
        self.policy = policy_in_force(settings)
        policy, version = self.policy.policy, self.policy.version
        self._triage = TriagePorts(policy, version, self.publish, self.store, topics.SIGNALS, self.store.heartbeats)
        self._lifecycle = LifecyclePorts(self.store, self, lambda _: None)
        self._review = ReviewPorts(self.store, self, lambda _: None, self.store.endings)
        self._maintenance = MaintenancePorts(self.store, self, lambda _: None, self.publish, topics.SIGNALS)

    def now(self) -> datetime:
        return utc_now() + self.ahead

    async def of(self, version: str | None) -> Policy:
        """The book of policies: there is one."""
        return self.policy.policy

    async def publish(self, records: Sequence[Outgoing]) -> None:
        await self.broker_answers()
        self.published += records
        for one in () if self.asleep else records:
            await self._handle(Record(one.topic, 0, len(self.published), one.key, one.value, one.headers))

    async def _handle(self, record: Record) -> None:
        known, logged = set(self.store.inbox), self._logged
        if record.topic == topics.WEBHOOKS:
            await triage.run([record], self._triage)
        elif record.topic == topics.SIGNALS:
            await lifecycle.run([record], self._lifecycle)
        elif record.topic == topics.REVIEW_SIGNALS:
            await review.run([record], self._review)
        elif record.topic == topics.MAINTENANCE_SIGNALS:
            await maintenance.run([record], self._maintenance)
        elif record.topic == topics.EVENTS:
            await review.follow([record], self._review)
        changed = self._logged > logged
        self.reads.changed.update(dict.fromkeys(self.store.inbox - known - set(self.reads.changed), changed))
        if record.topic == topics.SIGNALS:
            await relay.relay(self.store, self.publish, topics.EVENTS)

    @property
    def _logged(self) -> int:
        return len(self.store.log) + len(self.store.review_log) + len(self.store.maintenance_log)

    async def broker_answers(self) -> None:
        if self.broken is not None:
            await self.broken()

    async def reply(self, response_url: str, text: str) -> None:
        self.replies.append((response_url, text))

    def records(self, topic: str) -> list[Outgoing]:
        return [record for record in self.published if record.topic == topic]

    def monotonic(self) -> float:
        return self.ahead.total_seconds()

    def ports(self) -> WebPorts:
        recording = dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), "no provider is configured")
        return WebPorts(
            settings=self.settings,
            policy=self.policy,
            policies=self,
            publish=self.publish,
            reads=self.reads,
            enqueue=self.reads.enqueue,
            broker_answers=self.broker_answers,
            recording=recording,
            clock=self.now,
            monotonic=self.monotonic,
            slack_reply=self.reply,
            calendars=self.calendars,
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
