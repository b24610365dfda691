"""The watch over our own promises: what it finds twice is logged, counted, told outside and inside, once."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from models.records import Outgoing
from models.signals import AlertsReported, decode_signal
from models.store.store import Store
from streams.clock import utc_now
from streams.heartbeat import PathBroken
from streams.settings import policy_named
from streams.verify import Examiner
from streams.watch import Watch
from tests.store.desk import Desk, OnePolicy, alerts
from tests.store.shop import KEPT, Shop


@dataclass
class Outside:
    """The broker, and the watchdog at the other end of the heartbeat."""

    told: list[AlertsReported] = field(default_factory=list)
    calls: int = 0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            signal = decode_signal(record.value)
            assert isinstance(signal, AlertsReported)
            self.told.append(signal)

    async def call(self) -> None:
        self.calls += 1


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    store = await Store.open(database_url)
    yield Shop(Desk(store, database_url))
    await store.close()


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def watch(shop: Shop, outside: Outside) -> Watch:
    examiner = Examiner(shop.desk.store.evidence, OnePolicy(), KEPT)
    return Watch(examiner, outside.publish, policy_named("default"), utc_now, asyncio.Event())


async def test_a_sound_ledger_calls_the_watchdog(shop: Shop, watch: Watch, outside: Outside) -> None:
    assert watch.count() is None
    await shop.alert()
    for _ in range(2):
        await watch.look()
    await watch.guarding(outside.call)()
    assert (watch.count(), outside.calls, outside.told) == (0, 1, [])


async def test_what_is_found_twice_is_told_by_every_way_once(
    shop: Shop, watch: Watch, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.alert()
    await shop.desk.rows("DELETE FROM delivery WHERE kind = 'page'")
    await watch.look()
    assert (watch.count(), outside.told) == (0, []), "it may be in progress"
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await watch.look()
    assert watch.count() == 1
    assert len([one for one in caplog.messages if "verify:" in one]) == 1
    with pytest.raises(PathBroken, match="page-lost"):
        await watch.guarding(outside.call)()
    assert outside.calls == 0
    [told] = outside.told
    assert (told.key, told.service, told.classification.severity) == ("tocsin/verify/page-lost", "tocsin", "SEV2")
    await shop.desk.handle(told)
    assert await shop.desk.value("SELECT count(*) FROM delivery WHERE kind = 'page'") == 1, "people are paged"


async def test_it_calls_again_when_the_fault_is_mended(shop: Shop, watch: Watch, outside: Outside) -> None:
    stray, nobody = uuid.uuid4(), uuid.uuid4()
    await shop.desk.rows(
        "INSERT INTO deadline (id, owner_id, topic, key, name, due_at, status, next_at)"
        " VALUES (%s, %s, 'incident.signals', 'x', 'stale', now(), 'pending', now())",
        stray,
        nobody,
    )
    for _ in range(2):
        await watch.look()
    assert watch.count() == 1
    await shop.desk.rows("DELETE FROM deadline")
    await watch.look()
    await watch.guarding(outside.call)()
    assert (watch.count(), outside.calls) == (0, 1)


async def test_what_is_over_is_told_for_a_while_only(shop: Shop, watch: Watch, outside: Outside) -> None:
    """The incident goes on; that its page was late is no news for ever, and the watchdog has heard of it."""
    await shop.alert(received_at=await shop.desk.store.reads.now() - timedelta(minutes=2))
    await shop.send()
    for _ in range(2):
        await watch.look()
    assert [one.kind for one in watch.findings or ()] == ["page-late"]
    past = "ended_at - interval '16 minutes'"
    await shop.desk.rows(f"UPDATE delivery SET ended_at = {past}, created_at = {past} WHERE kind = 'page'")
    await shop.desk.rows("UPDATE delivery SET ended_at = ended_at - interval '1 second'")
    await watch.look()
    await watch.guarding(outside.call)()
    assert outside.calls == 1


async def test_a_storm_is_gone_round_in_several_looks(
    shop: Shop, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.watch.MOST", 20)
    monkeypatch.setattr("streams.watch.BREATHE", 0.0)
    now = await shop.desk.store.reads.now()
    await shop.desk.handle(*(alerts(f"shop/{number}", received_at=now) for number in range(50)))
    last = await shop.desk.value("SELECT id FROM incident ORDER BY id DESC LIMIT 1")
    await shop.desk.rows("DELETE FROM delivery WHERE kind = 'page' AND incident_id = %s", last)
    for _ in range(4):
        await watch.look()
    assert [one.incident_id for one in watch.findings or ()] == [last]
