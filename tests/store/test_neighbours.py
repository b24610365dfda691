"""What is known of other incidents while one is decided: PostgreSQL and the store of the scenarios answer alike."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents import lifecycle
from models.records import Record
from models.severity import Severity
from models.signals import MergeRequested, ResolveRequested, Signal, encode_signal
from models.surroundings import NOTHING_ASKED, Question, Surroundings
from tests.memory import MemoryStore
from tests.store.desk import Desk, OnePolicy, alerts

EVERYTHING = Question(
    services=frozenset({"checkout", "shop", "nobody"}),
    keys=frozenset({"worst", "child", "over", "never"}),
    attached_to=frozenset({"worst", "lesser", "over"}),
    environments=frozenset({"production", "staging", "nowhere"}),
    window=timedelta(minutes=5),
    most=4,
)


def _told() -> list[Signal]:
    return [
        alerts("worst", Severity.SEV1),
        alerts("lesser", Severity.SEV3, service="shop"),
        alerts("child", Severity.SEV2),  # of the same service as the worst, so attached to it
        alerts("staging", Severity.SEV2, environment="staging"),
        alerts("over", Severity.SEV1, service="shop"),
        alerts("over", Severity.SEV1, service="shop", status="resolved"),
        alerts("more", Severity.SEV4, service="shop"),
    ]


async def _asked(store: Any, question: Question) -> Surroundings:
    async with store.incidents() as transaction:
        around: Surroundings = (await transaction.begin([], question)).around
    return around


async def test_postgresql_answers_as_the_store_of_the_scenarios_does(desk: Desk) -> None:
    memory = MemoryStore(lambda: datetime.now(UTC))
    told = _told()
    await desk.handle(*told)
    ports = lifecycle.LifecyclePorts(memory, OnePolicy(), lambda _: None)
    await lifecycle.run([Record("incident.signals", 0, 0, b"", encode_signal(signal)) for signal in told], ports)
    here, there = await _asked(desk.store, EVERYTHING), await _asked(memory, EVERYTHING)
    assert here == there
    assert {place: one.key for place, one in here.worst.items()} == {
        ("production", "checkout"): "worst",
        ("production", "shop"): "lesser",
        ("staging", "checkout"): "staging",
    }
    assert set(here.by_key) == {"worst", "child"}
    assert here.attached == {"worst": 1}
    assert here.begun == {"production": 4, "staging": 1, "nowhere": 0}


async def test_what_is_attached_names_what_it_is_attached_to(desk: Desk) -> None:
    await desk.handle(*_told())
    around = await _asked(desk.store, Question(keys=frozenset({"child"})))
    assert {key: one.parent for key, one in around.by_key.items()} == {"child": "worst", "worst": None}
    assert await _asked(desk.store, NOTHING_ASKED) == Surroundings()


async def test_names_that_no_column_takes_are_asked_for_all_the_same(desk: Desk) -> None:
    odd = "a\x00b" + "x" * 5000
    await desk.handle(alerts(odd, service=odd, environment=odd))
    around = await _asked(
        desk.store, Question(services=frozenset({odd}), keys=frozenset({odd}), environments=frozenset({odd}), most=9)
    )
    assert len(around.worst) == len(around.by_key) == 1


async def test_a_batch_sees_what_it_opens_itself(desk: Desk) -> None:
    await desk.handle(alerts("worst", Severity.SEV1), alerts("child", Severity.SEV2))
    assert await desk.value("SELECT parent FROM incident WHERE key = 'child'") == "worst"
    assert await desk.kinds(await desk.incident_id("child")) == [
        "incident_opened",
        "alerts_joined",
        "incident_attached",
    ]


@pytest.mark.parametrize("together", [1, 2])
async def test_two_that_are_merged_into_each_other_make_no_circle(desk: Desk, together: int) -> None:
    await desk.handle(alerts("a"), alerts("b"))
    merges = [
        MergeRequested(id=uuid.uuid4(), key=key, incident_id=await desk.incident_id(key), by="a", via="api", parent=to)
        for key, to in ("ab", "ba")
    ]
    for first in range(0, 2, together):
        await desk.handle(*merges[first : first + together])
    assert [row["parent"] for row in await desk.rows("SELECT parent FROM incident ORDER BY key")] == ["b", None]


async def test_an_attached_incident_that_is_over_is_counted_no_more(desk: Desk) -> None:
    await desk.handle(alerts("worst", Severity.SEV1), alerts("child", Severity.SEV2))
    child = await desk.incident_id("child")
    await desk.handle(ResolveRequested(id=uuid.uuid4(), key="child", incident_id=child, by="ana", via="api"))
    around = await _asked(desk.store, Question(attached_to=frozenset({"worst"})))
    assert around.attached.get("worst", 0) == 0
