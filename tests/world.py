"""The language that scenarios are told in: alerts arrive, people act, the clock is stepped, and what was sent is
looked at.

The agents are the real ones; broker and database are in memory; every provider answers as the story says.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from agents import correlation, dead_letters, deadlines, delivery, lifecycle, maintenance, relay, review, triage
from models import rates
from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, RetryLater
from models.maintenance import MaintenanceWindow
from models.maintenance_signals import MaintenanceCancelRequested, MaintenanceEndRequested, MaintenanceRequested
from models.oncall.schedule import Imported
from models.policy import Policy
from models.policy_file import parse_policy, policy_version, shipped_policy
from models.records import Agent, Outgoing, Record, Unreadable
from models.review_signals import ActionItemCompleted, ActionItemRequested, PostmortemCompleted
from models.role import Role
from models.severity import Priority, ServiceTier, Severity
from models.signals import (
    AcknowledgeRequested,
    ChecklistTickRequested,
    EscalateRequested,
    FreezeRequested,
    IncidentDeclared,
    MergeRequested,
    ReassignRequested,
    ResolveRequested,
    RoleRequested,
    SeverityRequested,
    SplitRequested,
    UpdateRequested,
    encode_signal,
)
from models.state import Incident
from models.webhook_record import Stamp, webhook_record
from tests.memory import MemoryStore

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DEFAULT = shipped_policy("default")

Answer = Callable[[Delivery], Outcome]


def takes(_: Delivery) -> Outcome:
    """A provider that takes everything."""
    return Delivered("sent", {})


def is_down(_: Delivery) -> Outcome:
    """A provider that does not answer."""
    return RetryLater("no answer", provider_down=True)


def breaks_off(_: Delivery) -> Outcome:
    """A provider of which nobody knows what it has taken."""
    return RetryLater("503", unknown=True, provider_down=True)


@dataclass
class World:
    """One Tocsin, seen from outside. `answers` says how each provider takes deliveries from now on."""

    text: str = DEFAULT
    now: datetime = T0
    answers: dict[Provider, Answer] = field(default_factory=dict)
    sent: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy: Policy = parse_policy(self.text, "policy.yaml")
        self.version = policy_version(self.text)
        self._policies = {self.version: self.policy}
        self.store = MemoryStore(lambda: self.now)
        self.queue: list[Outgoing] = []
        self.redeliver = 1
        """How often every record is delivered: 2 tells the story with every record redelivered."""
        self.imported: dict[str, Imported] = {}
        """What the calendars say that schedules are kept in, by schedule."""
        self._webhooks = 0
        self._held: list[Outgoing] | None = None
        self.prometheus: Iterator[rates.Answer] = iter(())
        """What it gives to the next batches of questions; after that nobody is there to ask."""

    # --- what happens

    def alert(
        self,
        name: str = "CheckoutErrors",
        *,
        status: str = "firing",
        group: str = "g1",
        pods: Sequence[str] = ("pod-0",),
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        started: datetime | None = None,
        group_status: str | None = None,
        truncated: int = 0,
        late: timedelta = timedelta(0),
    ) -> None:
        """A webhook of Alertmanager with one alert per pod; `late` is how long ago it was received."""
        alerts = [
            {
                "status": status,
                "labels": {
                    "alertname": name,
                    "service": "checkout",
                    "severity": "critical",
                    "pod": pod,
                    **(labels or {}),
                },
                "annotations": {
                    "summary": "Checkout fails",
                    "runbook_url": "https://runbooks.example/checkout",
                    **(annotations or {}),
                },
                "startsAt": (started or T0).isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"{name}/{pod}",
            }
            for pod in pods
        ]
        body = {
            "version": "4",
            "groupKey": group,
            "status": group_status or status,
            "truncatedAlerts": truncated,
            "alerts": alerts,
        }
        self._webhooks += 1
        stamp = Stamp(uuid.uuid5(uuid.NAMESPACE_OID, f"webhook/{self._webhooks}"), "prometheus", self.now - late)
        self._tell(webhook_record("alertmanager.webhooks", stamp, group, json.dumps(body).encode()))

    def garbage(self, body: bytes) -> None:
        """A body that the receiver took for a webhook, and that triage cannot read."""
        self._webhooks += 1
        stamp = Stamp(uuid.uuid5(uuid.NAMESPACE_OID, f"webhook/{self._webhooks}"), "prometheus", self.now)
        self._tell(webhook_record("alertmanager.webhooks", stamp, "g", body))

    def acknowledge(self, by: str = "ana") -> None:
        self._command(AcknowledgeRequested, by=by)

    def escalate(self, level: str | None = None, by: str = "ana", ago: timedelta = timedelta(0)) -> None:
        """`ago` is how long the command has waited."""
        self._command(EscalateRequested, by=by, level=level, asked_at=self.now - ago)

    def reassign(self, chain: str | None = None, by: str = "ana") -> None:
        """To the policy in force now."""
        self._command(ReassignRequested, by=by, policy_version=self.version, chain=chain)

    def resolve(self, by: str = "ana", note: str = "fixed", service: str | None = None) -> None:
        self._command(ResolveRequested, self.about(service) if service else None, by=by, note=note)

    def update(self, message: str, stage: Any = None, by: str = "ana") -> None:
        self._command(UpdateRequested, by=by, message=message, stage=stage)

    def set_severity(self, severity: Severity, reason: str = "because", by: str = "ana") -> None:
        self._command(SeverityRequested, by=by, severity=severity, reason=reason)

    def assign(self, role: Role, person: str | None, by: str = "ana") -> None:
        self._command(RoleRequested, by=by, role=role, person=person)

    def tick(self, step: int, *, done: bool = True, by: str = "ana") -> None:
        self._command(ChecklistTickRequested, by=by, step=step, done=done)

    def merge(self, service: str, into: str, by: str = "ana") -> None:
        self._command(MergeRequested, self.about(service), by=by, parent=self.about(into).key)

    def split(self, service: str, by: str = "ana") -> None:
        self._command(SplitRequested, self.about(service), by=by)

    def freeze(self, *, frozen: bool = True, by: str = "ana") -> None:
        self._command(FreezeRequested, by=by, frozen=frozen)

    def declare(self, severity: Severity = Severity.SEV1, by: str = "ana", key: str | None = None) -> None:
        key = key or f"declared/{uuid.uuid4()}"
        signal = IncidentDeclared(
            id=uuid.uuid4(),
            key=key,
            title="Checkout is slow",
            summary="",
            service="checkout",
            environment="prod",
            severity=severity,
            priority=self.policy.priority(severity, ServiceTier.TWO),
            tier=ServiceTier.TWO,
            by=by,
            via="cli",
            policy_version=self.version,
        )
        self._tell(Outgoing("incident.signals", key.encode(), encode_signal(signal)))

    def add_action_item(self, title: str, owner: str, due_at: datetime) -> None:
        incident = self.incident
        self._review(
            ActionItemRequested,
            by="ana",
            number=incident.number,
            title=title,
            owner=owner,
            due_at=due_at,
            priority=Priority.P2,
            policy_version=self.version,
        )

    def complete_action_item(self, item_id: uuid.UUID) -> None:
        self._review(ActionItemCompleted, by="ana", item_id=item_id)

    def complete_postmortem(self) -> None:
        self._review(PostmortemCompleted, by="ana", url="https://wiki.example/postmortem")

    def plan_maintenance(
        self, title: str = "Upgrade", services: Sequence[str] = ("checkout",), *, lasting: float = 2, **more: Any
    ) -> MaintenanceWindow:
        """A window that begins now, or `ahead`, and lasts so many hours."""
        starts_at = self.now + more.pop("ahead", timedelta(0))
        window_id = uuid.uuid4()
        fields = {"environment": None, "covers_sev1": False, "by": "ana", "policy_version": self.version, **more}
        fields |= {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=lasting)}
        self._maintenance(MaintenanceRequested, window_id, title=title, services=tuple(services), **fields)
        return self.store.windows[str(window_id)]

    def end_maintenance(self, window: MaintenanceWindow, ends_at: datetime | None = None) -> None:
        self._maintenance(MaintenanceEndRequested, window.id, ends_at=ends_at, by="ana")

    def cancel_maintenance(self, window: MaintenanceWindow) -> None:
        self._maintenance(MaintenanceCancelRequested, window.id, by="ana")

    def plan_recurring(self) -> None:
        """A worker looks at what recurs by the policy in force."""

        async def known() -> list[MaintenanceWindow]:
            return list(self.store.windows.values())

        asyncio.run(maintenance.plan(known, self.policy, self.version, self.now, self._publish))
        self._settle()

    def hold_signals(self) -> None:
        """The lifecycle falls behind: signals wait in their topic until `release_signals`."""
        self._held = []

    def release_signals(self) -> None:
        """The lifecycle catches up."""
        self.queue, self._held = [*(self._held or []), *self.queue], None
        self._settle()

    def adopt(self, text: str) -> None:
        """Another policy is in force from now on."""
        self.policy, self.version = parse_policy(text, "policy.yaml"), policy_version(text)
        self._policies[self.version] = self.policy

    def advance(self, **span: float) -> None:
        """Steps the clock to every deadline and retry on the way, and lets everything happen that follows."""
        end = self.now + timedelta(**span)
        while (instant := self._next_instant()) is not None and instant <= end:
            self.now = max(self.now, instant)
            self._settle()
        self.now = end
        self._settle()

    # --- what can be seen

    @property
    def incident(self) -> Incident:
        """The only incident, or the newest; of several that began at once the last."""
        newest_last = reversed(self.store.incidents_by_id.values())
        return max(newest_last, key=lambda incident: (incident.opened_at, incident.generation))

    def about(self, service: str) -> Incident:
        """The newest incident of a service."""
        found = [one for one in self.store.incidents_by_id.values() if one.service == service]
        return max(found, key=lambda incident: (incident.opened_at, incident.generation))

    @property
    def log(self) -> list[str]:
        """The newest incident's events, by kind."""
        return self.log_of(self.incident)

    def log_of(self, incident: Incident) -> list[str]:
        """An incident's events, by kind."""
        return [entry.event.kind for owner, entry in self.store.log if owner == str(incident.id)]

    @property
    def pages(self) -> list[str]:
        """The levels that were paged, in the order in which the provider took the pages."""
        return [one.page.level for one in self.sent if one.kind is DeliveryKind.PAGE and one.page]

    @property
    def page_fates(self) -> list[tuple[str, str, str]]:
        """Level, status and detail of every page that was decided, in order: what `tocsin deliveries` shows."""
        return [
            (one.delivery.page.level, one.status, one.detail)
            for one in self.store.outbox
            if one.delivery.kind is DeliveryKind.PAGE and one.delivery.page
        ]

    def said(self, kind: DeliveryKind) -> list[str]:
        """The texts of one kind of message, as they were delivered."""
        return [one.message.text if one.message else "" for one in self.sent if one.kind is kind]

    def kinds(self, provider: Provider) -> list[DeliveryKind]:
        return [one.kind for one in self.sent if one.provider is provider]

    # --- how

    def _command(self, kind: Any, of: Incident | None = None, **fields: Any) -> None:
        incident = of or self.incident
        signal = kind(id=uuid.uuid4(), key=incident.key, incident_id=incident.id, via="api", **fields)
        self._tell(Outgoing("incident.signals", incident.key.encode(), encode_signal(signal)))

    def _review(self, kind: Any, **fields: Any) -> None:
        incident = self.incident
        signal = kind(id=uuid.uuid4(), key=str(incident.id), incident_id=incident.id, via="api", **fields)
        self._tell(Outgoing("review.signals", str(incident.id).encode(), encode_signal(signal)))

    def _maintenance(self, kind: Any, window_id: uuid.UUID, **fields: Any) -> None:
        signal = kind(id=uuid.uuid4(), key=str(window_id), via="api", **fields)
        self._tell(Outgoing("maintenance.signals", str(window_id).encode(), encode_signal(signal)))

    def _tell(self, record: Outgoing) -> None:
        self.queue.append(record)
        self._settle()

    def _next_instant(self) -> datetime | None:
        armed = [row.due_at for row in self.store.ledger.values() if row.status == "pending"]
        retries = [sent.due_at for sent in self.store.outbox if sent.status == "pending" and sent.due_at]
        late = [
            sent.created_at + delivery.LATE_AFTER
            for sent in self.store.outbox
            if sent.status == "pending"
            and sent.created_at
            and sent.delivery.kind is DeliveryKind.PAGE
            and "delayed" not in sent.told
        ]
        return min((instant for instant in (*armed, *retries, *late)), default=None)

    def _settle(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        quiet = False
        while not quiet:
            quiet = True
            while self.queue:
                record = self.queue.pop(0)
                if self._held is not None and record.topic == "incident.signals":
                    self._held.append(record)
                    continue
                for _ in range(self.redeliver):
                    await self._handle(record)
                quiet = False
            quiet &= not await deadlines.emit_due(self.store, self._publish)
            quiet &= not await self._deliver()
            quiet &= not await delivery.report(self.store, self._publish, "incident.signals")
            quiet &= not await relay.relay(self.store, self._publish, "incident.events")

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        self.queue += records

    async def _handle(self, out: Outgoing) -> None:
        agents: dict[str, Agent] = {
            "alertmanager.webhooks": partial(triage.run, ports=self._triage),
            "incident.signals": partial(lifecycle.run, ports=self._lifecycle),
            "incident.events": self._follow,
            "review.signals": partial(review.run, ports=self._reviews),
            "maintenance.signals": partial(maintenance.run, ports=self._windows),
        }
        agent = agents.get(out.topic)
        if agent is None:
            return
        record = Record(out.topic, 0, self._webhooks, out.key, out.value, out.headers)
        try:
            await agent([record])
        except Unreadable as unreadable:
            burial = dead_letters.Burial("dead.letters", "incident.signals", self.policy, self.version)
            await self._publish(dead_letters.bury(record, str(unreadable), self.now, burial))

    async def _follow(self, records: Sequence[Record]) -> None:
        await review.follow(records, self._reviews)
        await correlation.follow(records, correlation.CorrelationPorts(self._publish, "incident.signals"))

    async def _deliver(self) -> bool:
        busy = False
        for provider in Provider:
            for claimed in await self.store.claim(provider, 100, timedelta(seconds=30)):
                busy = True
                outcome = self.answers.get(provider, takes)(claimed.delivery)
                if isinstance(outcome, Delivered):
                    self.sent.append(claimed.delivery)
                await self.store.finish(
                    [(claimed, outcome, timedelta(seconds=10 * 2 ** min(claimed.attempts // 6, 12)))]
                )
        return busy

    @property
    def _triage(self) -> triage.TriagePorts:
        return triage.TriagePorts(
            self.policy, self.version, self._publish, self.store, "incident.signals", self.store.heartbeats, self._asked
        )

    async def _asked(self, queries: Sequence[str], _: timedelta) -> rates.Answers:
        return dict.fromkeys(queries, next(self.prometheus, rates.Answer(None, "nobody is there")))

    @property
    def _lifecycle(self) -> lifecycle.LifecyclePorts:
        return lifecycle.LifecyclePorts(self.store, self, lambda _: None)

    @property
    def _reviews(self) -> review.ReviewPorts:
        return review.ReviewPorts(self.store, self, lambda _: None, self.store.endings)

    @property
    def _windows(self) -> maintenance.MaintenancePorts:
        return maintenance.MaintenancePorts(self.store, self, lambda _: None, self._publish, "incident.signals")

    async def of(self, version: str | None) -> Policy:
        policy = self._policies.get(version or self.version, self.policy)
        return policy.with_calendars(self.imported) if self.imported else policy
