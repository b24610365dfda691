"""The language of the store's stories: signals are told, the real lifecycle decides, the database is looked at."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import TypeAdapter

from agents import lifecycle, review
from agents.review import ReviewPorts
from models.alert import Alert
from models.deliveries import Provider
from models.events import Event
from models.feed import Excerpt, FeedRecord, encode_feed
from models.policy_file import parse_policy, shipped_policy
from models.records import Record
from models.review_signals import ReviewSignal
from models.severity import Classification, PendingSeverity, ServiceTier, Severity
from models.signals import (
    AcknowledgeRequested,
    AlertsReported,
    DeadlineReached,
    EscalateRequested,
    ResolveRequested,
    Signal,
    UpdateRequested,
    encode_signal,
)
from models.state import Incident
from models.step import Step, finish, fold
from models.store.store import Store

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
_DEFAULT = parse_policy(shipped_policy("default"), "default.yaml")
POLICY = _DEFAULT.model_copy(
    update={
        "communication": _DEFAULT.communication.model_copy(update={"update_within": {}, "status_page_every": {}}),
        "roles": _DEFAULT.roles.model_copy(update={"commander_within": {}}),
    }
)
"""Without the clocks of communication: what is counted here is paging alone."""
_FEED = TypeAdapter(FeedRecord)
LEASE = timedelta(seconds=30)


class OnePolicy:
    """The default policy, whatever the version."""

    async def of(self, version: str | None) -> Any:
        return POLICY


@dataclass
class Desk:
    """One worker's hands on one store."""

    store: Store
    url: str
    woken: set[Provider] = field(default_factory=set)

    async def handle(self, *signals: Signal) -> None:
        ports = lifecycle.LifecyclePorts(self.store, OnePolicy(), self.woken.update)
        await lifecycle.run([_record("incident.signals", signal) for signal in signals], ports)

    async def review(self, *signals: ReviewSignal) -> None:
        await review.run([_record("review.signals", signal) for signal in signals], self._reviews)

    async def follow(self, *feed: Excerpt | FeedRecord) -> None:
        values = [encode_feed(one) if isinstance(one, Excerpt) else _FEED.dump_json(one) for one in feed]
        records = [Record("incident.events", 0, 0, b"", value) for value in values]
        await review.follow(records, self._reviews)

    @property
    def _reviews(self) -> ReviewPorts:
        return ReviewPorts(self.store, OnePolicy(), self.woken.update, self.store.log.endings)

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def one(self, query: str, *parameters: Any) -> dict[str, Any]:
        [row] = await self.rows(query, *parameters)
        return row

    async def value(self, query: str, *parameters: Any) -> Any:
        return next(iter((await self.one(query, *parameters)).values()))

    async def incident_id(self, key: str) -> uuid.UUID:
        return await self.value("SELECT id FROM incident WHERE key = %s ORDER BY generation DESC LIMIT 1", key)

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """What stands in every table, but for the inbox's own footsteps."""
        tables = ("incident", "event", "deadline", "delivery", "alert_group", "number_counter", "inbox")
        return {table: await self.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables}

    async def kinds(self, incident_id: uuid.UUID) -> list[str]:
        rows = await self.rows("SELECT kind FROM event WHERE owner_id = %s ORDER BY seq", incident_id)
        return [row["kind"] for row in rows]

    async def acknowledge(self, key: str, by: str = "ana") -> None:
        incident_id = await self.incident_id(key)
        await self.handle(AcknowledgeRequested(id=uuid.uuid4(), key=key, incident_id=incident_id, by=by, via="api"))

    async def resolve(self, key: str, by: str = "ana") -> None:
        incident_id = await self.incident_id(key)
        await self.handle(ResolveRequested(id=uuid.uuid4(), key=key, incident_id=incident_id, by=by, via="api"))

    async def escalate(self, key: str, level: str | None = None) -> None:
        incident_id = await self.incident_id(key)
        await self.handle(
            EscalateRequested(id=uuid.uuid4(), key=key, incident_id=incident_id, by="ana", via="api", level=level)
        )

    async def update(self, key: str, message: str) -> None:
        incident_id = await self.incident_id(key)
        signal = UpdateRequested(
            id=uuid.uuid4(), key=key, incident_id=incident_id, by="ana", via="api", message=message
        )
        await self.handle(signal)


def alerts(key: str = "shop/checkout", severity: Severity = Severity.SEV1, **changes: Any) -> AlertsReported:
    """One firing alert of `key`, classified as `severity` at tier 1."""
    name = changes.pop("name", key)
    status = changes.pop("status", "firing")
    alert = Alert(f"print of {name}", status, T0, {"alertname": name}, {})
    pending: tuple[PendingSeverity, ...] = changes.pop("pending", ())
    priority = POLICY.priority(severity, ServiceTier.ONE)
    return AlertsReported(
        **{
            "id": uuid.uuid4(),
            "key": key,
            "sender": "prod",
            "group": f"prod/{key}",
            "group_status": status,
            "truncated": 0,
            "alerts": (alert,),
            "received_at": T0,
            "title": f"{name} fails",
            "summary": "",
            "service": "checkout",
            "environment": "production",
            "links": {},
            "classification": Classification(severity, priority, ServiceTier.ONE, ("because",), pending),
            "policy_version": "p1",
            **changes,
        }
    )


def reached(deadline: dict[str, Any]) -> DeadlineReached:
    """The signal that a ledger row leads to."""
    return DeadlineReached(
        id=uuid.uuid5(deadline["id"], "reached"),
        key=deadline["key"],
        deadline_id=deadline["id"],
        name=deadline["name"],
        due_at=deadline["due_at"],
    )


def _record(topic: str, signal: Signal | ReviewSignal) -> Record:
    return Record(topic, 0, 0, signal.key.encode(errors="replace"), encode_signal(signal))


def step_of(
    before: Incident | None, signal: Signal, events: Sequence[Event], at: datetime, number: str = ""
) -> Step[Incident]:
    """The step that `events` make, with `number` for the incident that they open."""
    folded = fold(before, signal, events, POLICY, at)
    return finish(folded, {folded.after.id: number} if folded.opens and folded.after else {})
