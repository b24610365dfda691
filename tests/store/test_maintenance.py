"""Maintenance windows in PostgreSQL: planned, seen by the lifecycle, ended, forgotten; and what `verify` makes of them.
POLICY 21.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from agents import maintenance
from models.maintenance import MaintenanceWindow
from models.maintenance_signals import (
    TOPIC,
    MaintenanceCancelRequested,
    MaintenanceEndRequested,
    MaintenanceRequested,
    MaintenanceSignal,
)
from models.records import Outgoing, Record
from models.severity import Severity
from models.signals import decode_signal, encode_signal
from models.store.retention import Keep
from tests.store.desk import Desk, OnePolicy, alerts, reached
from tests.store.shop import Shop

KEY = "shop/checkout"
HOUR = timedelta(hours=1)
HOLD_LOST = """
UPDATE event SET body = '{"kind": "deadline_passed", "name": "x"}'
WHERE kind = 'page_held' AND seq = (SELECT max(seq) FROM event WHERE kind = 'page_held')
"""


class Crew:
    """Who does maintenance at a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def tell(self, *signals: MaintenanceSignal) -> None:
        ports = maintenance.MaintenancePorts(
            self.desk.store, OnePolicy(), self.desk.woken.update, self._publish, "incident.signals"
        )
        records = [Record(TOPIC, 0, 0, one.key.encode(), encode_signal(one)) for one in signals]
        await maintenance.run(records, ports)

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        await self.desk.handle(*(decode_signal(record.value) for record in records))

    async def plan(self, *, ahead: timedelta = timedelta(0), lasting: timedelta = HOUR, **more: Any) -> uuid.UUID:
        now = await self.desk.store.reads.now()
        window_id = uuid.uuid4()
        fields = {"title": "Upgrade", "services": ("checkout",), "environment": None, "covers_sev1": False, **more}
        await self.tell(
            MaintenanceRequested(
                id=uuid.uuid4(),
                key=str(window_id),
                starts_at=now + ahead,
                ends_at=now + ahead + lasting,
                by="ana",
                via="api",
                policy_version="p1",
                **fields,
            )
        )
        return window_id

    async def end(self, window_id: uuid.UUID, ends_at: datetime | None = None) -> None:
        await self.tell(
            MaintenanceEndRequested(id=uuid.uuid4(), key=str(window_id), ends_at=ends_at, by="ana", via="api")
        )

    async def cancel(self, window_id: uuid.UUID) -> None:
        await self.tell(MaintenanceCancelRequested(id=uuid.uuid4(), key=str(window_id), by="ana", via="api"))

    async def window(self, window_id: uuid.UUID) -> MaintenanceWindow:
        found = await self.desk.store.windows.one(window_id)
        assert found
        return found

    async def paged(self) -> int:
        return int(await self.desk.value("SELECT count(*) FROM delivery WHERE kind = 'page'"))


@pytest.fixture
def crew(desk: Desk) -> Crew:
    return Crew(desk)


async def test_the_lifecycle_sees_what_is_in_force_and_lets_go_what_ends(crew: Crew) -> None:
    window_id = await crew.plan()
    await crew.desk.handle(alerts(KEY, Severity.SEV2))
    assert await crew.paged() == 0
    assert await crew.desk.store.held() == [(KEY, "checkout", "production")]
    await crew.end(window_id)
    assert await crew.paged() == 1
    window = await crew.window(window_id)
    assert window.status == "ended"
    assert [one.number for one in window.fired] == [await crew.desk.value("SELECT number FROM incident")]
    stream = await crew.desk.rows("SELECT kind FROM event WHERE stream = 'maintenance' ORDER BY seq")
    kinds = ["maintenance_planned", "maintenance_started", "maintenance_moved", "maintenance_ended"]
    assert [row["kind"] for row in stream] == kinds


async def test_what_is_planned_or_cancelled_holds_nothing(crew: Crew) -> None:
    await crew.plan(ahead=HOUR)
    await crew.cancel(await crew.plan())
    await crew.desk.handle(alerts(KEY, Severity.SEV2))
    assert await crew.paged() == 1


async def test_what_a_window_held_before_is_among_what_fired(crew: Crew) -> None:
    """An incident that began before, whose next page fell into the window."""
    await crew.desk.handle(alerts(KEY, Severity.SEV2))
    window_id = await crew.plan()
    due = await crew.desk.one("SELECT * FROM deadline WHERE name = 'acknowledge' AND ended_at IS NULL")
    await crew.desk.handle(reached(due))
    assert await crew.paged() == 1
    await crew.end(window_id)
    assert [one.title for one in (await crew.window(window_id)).fired] == ["shop/checkout fails"]
    assert await crew.paged() == 2


async def test_its_deadlines_go_to_its_own_topic_and_all_end(crew: Crew) -> None:
    window_id = await crew.plan(ahead=timedelta(days=20))
    armed = await crew.desk.rows("SELECT name, topic, key FROM deadline WHERE ended_at IS NULL ORDER BY name")
    names = ["maintenance/announcement", "maintenance/end", "maintenance/start"]
    assert [(row["name"], row["topic"], row["key"]) for row in armed] == [
        (name, TOPIC, str(window_id)) for name in names
    ]
    assert await Shop(crew.desk).found() == [], "a deadline of a window is not astray"
    await crew.cancel(window_id)
    assert await crew.desk.rows("SELECT FROM deadline WHERE ended_at IS NULL") == []


async def test_whoever_ends_a_window_waits_for_those_who_decide_by_it(crew: Crew, other_desk: Desk) -> None:
    """Else a page could be held by a window that was just cancelled, and nobody would let it go."""
    window_id = await crew.plan()
    async with other_desk.store.incidents() as transaction:
        loaded = await transaction.begin([(uuid.uuid4(), "alerts_reported", KEY)])
        assert [one.id for one in loaded.around.windows] == [window_id]
        ending = asyncio.create_task(crew.cancel(window_id))
        waiting, _ = await asyncio.wait({ending}, timeout=0.2)
        assert not waiting
    await ending
    assert (await crew.window(window_id)).status == "cancelled"


async def test_a_redelivered_signal_changes_nothing(crew: Crew) -> None:
    window_id = await crew.plan()
    signal = MaintenanceEndRequested(id=uuid.uuid4(), key=str(window_id), ends_at=None, by="ana", via="api")
    await crew.tell(signal)
    before = await crew.window(window_id)
    await crew.tell(signal)
    assert await crew.window(window_id) == before
    assert await crew.desk.value("SELECT count(*) FROM delivery WHERE kind = 'maintenance'") == 2


async def test_verify_knows_why_a_held_incident_has_not_paged(crew: Crew) -> None:
    shop = Shop(crew.desk)
    await crew.plan()
    await shop.alert(Severity.SEV2)
    assert await shop.found() == []
    assert await shop.found(timedelta(minutes=30)) == []


async def test_verify_alarms_when_a_window_is_over_and_nothing_paged(crew: Crew) -> None:
    shop = Shop(crew.desk)
    await crew.plan()
    await shop.alert(Severity.SEV2)
    found = {one.kind.value: one.message for one in await shop.found(timedelta(hours=2))}
    assert found["not-paged"] == "its page is held for maintenance “Upgrade”, which is not in force"
    assert "deadline-overdue" in found


async def test_verify_alarms_when_a_page_was_let_go_and_not_decided(crew: Crew) -> None:
    shop = Shop(crew.desk)
    await crew.plan()
    await shop.alert(Severity.SEV2)
    await shop.reach("wake")
    assert await shop.found() == [], "held again, because it is still in force"
    found = await shop.damage(HOLD_LOST)
    assert "not-paged" in found


async def test_what_was_over_long_ago_is_forgotten_with_its_log(crew: Crew) -> None:
    await crew.end(await crew.plan())
    kept = await crew.plan(ahead=HOUR)
    await crew.desk.rows("UPDATE maintenance_window SET watched_until = watched_until - interval '3000 days'")
    days = timedelta(days=2557)
    await crew.desk.store.retention.sweep(Keep(days, days, days), "p1")
    assert [row["id"] for row in await crew.desk.rows("SELECT id FROM maintenance_window")] == [kept]
    owners = await crew.desk.rows("SELECT DISTINCT owner_id FROM event")
    assert [row["owner_id"] for row in owners] == [kept]
