"""Thirty days of incidents and on-call, on the stepped clock: what must hold at every moment, and at the end."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from models.correlation_events import IncidentAttached, IncidentDetached
from models.deliveries import DeliveryKind
from models.escalation_events import Acknowledged, EscalationExhausted, LevelPaged, PageHeld, PageReceived
from models.events import Event, IncidentOpened, IncidentReopened, IncidentResolved, SeverityChanged
from models.severity import Severity
from models.state import Incident
from tests.evidence import findings
from tests.memory import Row, Sent
from tests.scenarios.month import BEGINS, POLICY, TEAMS, Deed, Team, deeds
from tests.world import World

CLOCKS = {
    Severity.SEV1: timedelta(minutes=5),
    Severity.SEV2: timedelta(minutes=5),
    Severity.SEV3: timedelta(minutes=30),
    Severity.SEV4: timedelta(days=1),
}
PRIORITIES = {Severity.SEV1: 0, Severity.SEV2: 1, Severity.SEV3: 1, Severity.SEV4: 3}
AFTER_HOURS = {Severity.SEV1, Severity.SEV2}
"""POLICY 11: for these, people are woken."""


class Month(World):
    """A world in which something happens to one incident of many."""

    is_meant: Callable[[Incident], bool]

    def __init__(self) -> None:
        super().__init__(POLICY, now=BEGINS)
        self.shadows: dict[str, Shadow] = {}
        self.read = 0
        self.ended: list[Sent] = []
        self.ledger: dict[uuid.UUID, Row] = {}

    @property
    def incident(self) -> Incident:
        return max(filter(self.is_meant, self.store.incidents_by_id.values()), key=lambda one: one.opened_at)

    def look(self) -> None:
        """Reads what has been logged since the last time, and asks for what should have been."""
        for owner, entry in self.store.log[self.read :]:
            if isinstance(entry.event, IncidentOpened):
                self.shadows[owner] = Shadow(entry.event)
            self.shadows[owner].reads(entry.event, entry.at)  # type: ignore[arg-type]
        self.read = len(self.store.log)
        assert [one for one in self.shadows.values() if one.has_to_page_at and one.has_to_page_at <= self.now] == []

    def lay_aside(self) -> None:
        """What has ended leaves the store, which looks at all of its rows all the time."""
        self.ended += [one for one in self.store.outbox if one.ended_at]
        self.store.outbox = [one for one in self.store.outbox if not one.ended_at]
        over = {row.id: row for row in self.store.ledger.values() if row.ended_at}
        self.ledger = over | self.ledger
        self.store.ledger = {key: row for key, row in self.store.ledger.items() if key not in over}

    def lay_back(self) -> None:
        self.store.outbox = [*self.ended, *self.store.outbox]
        self.store.ledger |= self.ledger

    def close_reviews(self) -> None:
        for incident in list(self.store.incidents_by_id.values()):
            self.is_meant = incident.__eq__
            self.complete_postmortem()

    def do(self, deed: Deed) -> None:
        self.is_meant = lambda one: one.service == deed.service and deed.alert in one.key
        self.advance(seconds=(deed.at - self.now).total_seconds())
        match deed.what:
            case "fires" | "ends" | "worse":
                self.alert(
                    deed.alert,
                    status="resolved" if deed.what == "ends" else "firing",
                    group=f"{deed.service}/{deed.alert}/{deed.number}",
                    pods=[f"pod-{deed.number}"],
                    labels={
                        "service": deed.service,
                        "severity": "critical" if deed.what == "worse" else deed.severity,
                    },
                    started=self.now,
                )
            case "acknowledge":
                self.acknowledge(TEAMS[deed.service].on_call(self.now))
            case "escalate":
                self.escalate()
            case "update":
                self.update("We are on it.")
            case "resolve":
                self.resolve()
            case "review":
                self.complete_postmortem()


class Shadow:
    """One incident, as its log is read by somebody who knows what the policy promises, and computes it naively."""

    def __init__(self, opened: IncidentOpened) -> None:
        self.team: Team = TEAMS[opened.service]
        self.severity = opened.severity
        self.has_to_page_at: datetime | None = None
        """By the promises; None while nobody is to be paged."""
        self.heard_at: datetime | None = None
        """When the last page was confirmed."""
        self.is_held = self.is_taken = self.is_attached = False

    def reads(self, event: Event, at: datetime) -> None:
        match event:
            case IncidentOpened() | IncidentReopened():
                self.is_taken = False
                self._has_to_page(at)
            case Acknowledged() | IncidentResolved():
                self.is_taken = True
                self._waits_for_nothing()
            case SeverityChanged():
                more_urgent = PRIORITIES[event.severity] < PRIORITIES[self.severity]
                self.severity = event.severity
                if more_urgent or self.is_held:
                    self._has_to_page(at)
                elif self.has_to_page_at is not None and self.heard_at is not None:
                    self.has_to_page_at = min(self.has_to_page_at, max(at, self.heard_at + CLOCKS[self.severity]))
            case IncidentAttached():
                self.is_attached = True
                self._waits_for_nothing()
            case IncidentDetached():
                self.is_attached = False
                if not self.is_taken:
                    self._has_to_page(at)
            case _:
                self._reads_of_pages(event, at)

    def _reads_of_pages(self, event: Event, at: datetime) -> None:
        match event:
            case PageHeld():
                assert self.severity not in AFTER_HOURS
                assert not self.team.is_open(at)
                assert event.until == self.team.opens(at)
                self.has_to_page_at, self.is_held = event.until, True
            case LevelPaged():
                self._paged(event, at)
                self._waits_for_nothing()
                self.is_taken = False
            case PageReceived():
                self.heard_at = at
                self.has_to_page_at = at + CLOCKS[self.severity]
            case EscalationExhausted():
                self._waits_for_nothing()

    def _has_to_page(self, at: datetime) -> None:
        """POLICY 4; and 7, for what another incident pages for."""
        self.has_to_page_at = at if self.severity is not Severity.SEV4 and not self.is_attached else None

    def _waits_for_nothing(self) -> None:
        self.has_to_page_at, self.is_held = None, False

    def _paged(self, event: LevelPaged, at: datetime) -> None:
        people = [person for one in event.recipients for person in one.people]
        assert people == [self.team.on_call(at) if event.level == "on-call" else self.team.lead]
        if event.reason != "escalated":
            assert self.has_to_page_at == at, f"{event.reason}: {self.has_to_page_at}, not {at}"
            assert self.severity in AFTER_HOURS or self.team.is_open(at), "nobody is woken for this"


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_month_keeps_every_promise(seed: int) -> None:
    month = Month()
    for deed in deeds(seed):
        month.do(deed)
        month.look()
        month.lay_aside()
    month.close_reviews()
    month.advance(days=2)
    month.look()
    month.lay_back()

    store = month.store
    assert {one.status for one in store.incidents_by_id.values()} == {"resolved"}
    assert {row.name for row in store.ledger.values() if not row.ended_at} == set()
    assert [one for incident in store.incidents_by_id for one in findings(store, incident, month.policy)] == []
    pages = [one for one in store.outbox if one.delivery.kind is DeliveryKind.PAGE]
    assert {one.status for one in pages} == {"delivered"}
    assert set(Counter(one.delivery.lane for one in pages).values()) == {1}
    assert len(pages) > 300, "it was a month of work"
