"""Handoff notes: every handoff is told once, whoever looks and whatever happened meanwhile. POLICY 11."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agents import handoffs
from agents.handoffs import HandoffPorts
from models.deliveries import Delivery, DeliveryKind, Provider
from models.oncall.handoff import IncidentFacts
from models.oncall.schedule import Imported
from models.oncall.spans import Stretch
from models.policy import Policy
from models.policy_file import parse_policy
from models.severity import Severity
from tests.scenarios.oncall import policy

K = DeliveryKind
MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
"""Nine o'clock in Berlin."""
SECTIONS = """people:
  ana: {slack: U0ANA}
  ben: {email: ben@example.com}
  cleo: {slack: U0CLEO, email: cleo@example.com}
teams:
  payments: {members: [ana, ben, cleo], schedule: payments}
schedules:
  payments:
    zone: Europe/Berlin
    layers: [{name: week, people: [ana, ben, cleo], every: weekly, start: 2026-03-02 09:00}]
"""
TEXT = policy(
    "{name: on-call, targets: [{person: ana}]}", services="{checkout: {owner: payments}, search: {}}", people=SECTIONS
)
ELSEWHERE = SECTIONS.replace(
    "layers: [{name: week, people: [ana, ben, cleo], every: weekly, start: 2026-03-02 09:00}]", "ical: TOCSIN_CALENDAR"
)


class Rows:
    """A store of one calendar that lists a week of ana, then one of ben."""

    def stretches(self, start: datetime, end: datetime) -> list[Stretch]:
        week = timedelta(days=7)
        all_ = [
            Stretch(MONDAY - week, MONDAY, ("ana",), "calendar"),
            Stretch(MONDAY, MONDAY + week, ("ben",), "calendar"),
        ]
        return [one for one in all_ if one.start < end and one.end > start]


@dataclass
class Memory:
    """Satisfies HandoffStore."""

    now: datetime
    upto: dict[str, datetime] = field(default_factory=dict)
    sent: list[Delivery] = field(default_factory=list)
    incidents: list[IncidentFacts] = field(default_factory=list)
    woken: set[Provider] = field(default_factory=set)

    async def marks(self, schedules: Collection[str]) -> tuple[datetime, Mapping[str, datetime]]:
        for name in schedules:
            self.upto.setdefault(name, self.now)
        return self.now, {name: self.upto[name] for name in schedules}

    async def happened(self, since: datetime) -> Mapping[str, list[IncidentFacts]]:
        services = {one.service for one in self.incidents}
        return {service: [one for one in self.incidents if one.service == service] for service in services}

    async def tell(self, schedule: str, mark: datetime, upto: datetime, told: Sequence[Delivery]) -> bool:
        if self.upto[schedule] != mark:
            return False
        self.upto[schedule] = upto
        self.sent += told
        return True


@dataclass
class Worker:
    """One of several."""

    store: Memory
    text: str = TEXT
    imported: Mapping[str, Imported] = field(default_factory=dict)

    async def of(self, _: str | None) -> Policy:
        return parse_policy(self.text, "policy.yaml").with_calendars(self.imported)

    def looks(self, at: datetime) -> int:
        self.store.now = at
        return asyncio.run(handoffs.tell(HandoffPorts(self.store, self, self.store.woken.update)))


def incident(number: str, service: str, **more: object) -> IncidentFacts:
    facts: dict[str, object] = {"number": number, "title": "It fails", "service": service, "severity": Severity.SEV2}
    return IncidentFacts(**{**facts, "opened_at": MONDAY - timedelta(days=1), **more})  # type: ignore[arg-type]


def test_a_handoff_is_told_with_what_is_open_and_what_happened() -> None:
    store = Memory(MONDAY)
    hour = timedelta(hours=1)
    store.incidents = [
        incident("INC-1", "checkout", acknowledged_by="ana", paged_at=(MONDAY - hour,)),
        incident("INC-2", "checkout", resolved_at=MONDAY - hour),
        incident("INC-3", "search"),
    ]
    worker = Worker(store)
    assert worker.looks(MONDAY - timedelta(minutes=1)) == 0
    assert worker.looks(MONDAY + timedelta(seconds=10)) == 1
    slack, mail = store.sent
    assert (slack.kind, slack.message and slack.message.slack_channel) == (K.HANDOFF, "#incidents")
    assert (mail.kind, mail.message and mail.message.to) == (K.EMAIL_HANDOFF, "ben@example.com")
    assert store.woken == {Provider.SLACK, Provider.EMAIL}
    note = slack.handoff
    assert note is not None
    assert (note.leaving, note.coming, note.at, note.pages) == (("ana",), ("ben",), MONDAY, 1)
    assert note.since == MONDAY - timedelta(days=7)
    assert note.next_at == MONDAY + timedelta(days=7)
    assert [one.number for one in note.open] == ["INC-1"]
    assert [one.number for one in note.resolved] == ["INC-2"]
    assert note.mentions == {"ana": "U0ANA"}


def test_it_is_told_once_by_whoever_of_two_workers_and_after_a_restart() -> None:
    store = Memory(MONDAY)
    for worker in (Worker(store), Worker(store)):
        worker.looks(MONDAY - timedelta(minutes=1))
    told = [Worker(store).looks(MONDAY + timedelta(seconds=15 * step)) for step in range(5)]
    assert sum(told) == 1
    assert len({one.id for one in store.sent}) == len(store.sent) == 2


def test_two_who_found_the_same_mark_tell_it_once() -> None:
    store = Memory(MONDAY - timedelta(minutes=1))
    Worker(store).looks(store.now)
    mark = store.upto["payments"]
    Worker(store).looks(MONDAY + timedelta(seconds=1))
    assert not asyncio.run(store.tell("payments", mark, MONDAY, store.sent))


def test_what_was_before_the_first_worker_is_not_told() -> None:
    store = Memory(MONDAY)
    assert Worker(store).looks(MONDAY + timedelta(minutes=1)) == 0
    assert Worker(store).looks(MONDAY + timedelta(minutes=20)) == 0
    assert store.sent == []


def test_after_an_outage_of_ours_the_last_handoff_is_told_and_no_older_one() -> None:
    store = Memory(MONDAY)
    Worker(store).looks(MONDAY - timedelta(days=1))
    assert Worker(store).looks(MONDAY + timedelta(days=7, hours=2)) == 1
    assert [one.handoff.coming for one in store.sent if one.handoff] == [("cleo",), ("cleo",)]
    assert Worker(store).looks(MONDAY + timedelta(days=16)) == 0, "the next one is two days old"


def test_a_schedule_that_is_edited_has_no_past() -> None:
    store = Memory(MONDAY)
    Worker(store).looks(MONDAY - timedelta(hours=3))
    Worker(store).looks(MONDAY - timedelta(hours=1))
    assert (
        Worker(store, TEXT.replace("2026-03-02 09:00", "2026-03-02 07:00")).looks(MONDAY - timedelta(minutes=58)) == 0
    )


def test_a_calendar_kept_elsewhere_hands_over_too_and_is_not_judged_before_it_is_known() -> None:
    store, text = Memory(MONDAY), TEXT.replace(SECTIONS, ELSEWHERE)
    assert "ical" in text
    assert Worker(store, text).looks(MONDAY - timedelta(hours=1)) == 0
    assert store.upto == {}
    known = Worker(store, text, {"payments": Rows()})
    known.looks(MONDAY - timedelta(minutes=1))
    assert Worker(store, text).looks(MONDAY + timedelta(minutes=6)) == 0, "its copy was lost meanwhile"
    assert known.looks(MONDAY + timedelta(minutes=7)) == 1
    assert store.sent[0].handoff is not None
    assert store.sent[0].handoff.coming == ("ben",)


def test_when_nobody_comes_that_is_what_is_told() -> None:
    store = Memory(MONDAY)
    text = TEXT.replace("start: 2026-03-02 09:00", "start: 2026-03-02 09:00, end: 2026-03-09 09:00")
    Worker(store, text).looks(MONDAY - timedelta(minutes=1))
    assert Worker(store, text).looks(MONDAY + timedelta(minutes=1)) == 1
    [slack] = store.sent
    assert slack.handoff is not None
    assert (slack.handoff.leaving, slack.handoff.coming) == (("ana",), ())


def test_a_policy_without_schedules_asks_the_store_nothing() -> None:
    store = Memory(MONDAY)
    assert Worker(store, policy("{name: a, routing_key: TOCSIN_KEY_A}", people="")).looks(MONDAY) == 0
    assert store.upto == {}
