"""The deadline ledger: every deadline that was armed ends, once, whoever gets there first."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models import incident
from models.review_signals import PostmortemRequired, PostmortemWithdrawn
from models.severity import Severity
from models.signals import DeadlineReached
from models.store import ledger_writes
from tests.store.desk import LEASE, POLICY, T0, Desk, alerts, reached, step_of

DUE = "UPDATE deadline SET due_at = now() - interval '1 s', next_at = now() - interval '1 s' WHERE status = 'pending'"


async def test_only_what_is_due_is_claimed_and_only_once(desk: Desk, other_desk: Desk) -> None:
    await desk.handle(*(alerts(f"k{number}") for number in range(20)))
    assert await desk.store.ledger.claim_due(100, LEASE) == []
    assert timedelta(0) < (await desk.store.ledger.until_next() or timedelta(0)) <= timedelta(minutes=10)
    await desk.rows(DUE + " AND name = 'acknowledge'")
    late = await desk.store.ledger.until_next()
    assert late is not None
    assert late < timedelta(0)
    claims = await asyncio.gather(*(worker.store.ledger.claim_due(7, LEASE) for worker in (desk, other_desk) * 3))
    claimed = [due.id for claim in claims for due in claim]
    assert len(claimed) == len(set(claimed)) == 20
    assert await desk.store.ledger.claim_due(100, LEASE) == []


async def test_a_lease_that_ran_out_is_claimed_again_until_its_signal_was_handled(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.rows(DUE + " AND name = 'acknowledge'")
    [first] = await desk.store.ledger.claim_due(10, timedelta(0))
    [again] = await desk.store.ledger.claim_due(10, timedelta(0))
    assert first == again
    assert (again.topic, again.key) == ("incident.signals", "shop/checkout")
    signal = reached(await desk.one("SELECT * FROM deadline WHERE id = %s", again.id))
    await desk.handle(signal)
    await desk.handle(signal)
    assert await desk.store.ledger.claim_due(10, LEASE) == []
    statuses = await desk.rows("SELECT status FROM deadline WHERE name = 'acknowledge' ORDER BY armed_at")
    assert [row["status"] for row in statuses] == ["fired", "pending"]
    assert await desk.value("SELECT count(*) FROM delivery WHERE kind = 'page'") == 2


async def test_cancelling_and_firing_contend_for_one_row_and_one_of_them_wins(desk: Desk, other_desk: Desk) -> None:
    keys = [f"k{number}" for number in range(30)]
    await desk.handle(*(alerts(key) for key in keys))
    await desk.rows(DUE + " AND name = 'acknowledge'")
    rows = {row["key"]: row for row in await desk.rows("SELECT * FROM deadline WHERE name = 'acknowledge'")}

    async def acknowledging() -> None:
        for key in keys:
            await desk.acknowledge(key)

    async def firing() -> None:
        for key in reversed(keys):
            await other_desk.store.ledger.claim_due(5, LEASE)
            await other_desk.handle(reached(rows[key]))

    await asyncio.gather(acknowledging(), firing())
    for key in keys:
        row = await desk.one("SELECT * FROM deadline WHERE id = %s", rows[key]["id"])
        pages = await desk.value("SELECT count(*) FROM delivery WHERE kind = 'page' AND incident_key = %s", key)
        assert (row["status"], pages) in {("fired", 2), ("cancelled", 1)}
        assert row["ended_at"] is not None
    armed = "SELECT count(*) FROM deadline WHERE name = 'acknowledge' AND status IN ('pending', 'claimed')"
    assert await desk.value(armed) == 0


async def test_a_deadline_armed_and_ended_in_one_batch_has_both_in_the_ledger(desk: Desk) -> None:
    await desk.handle(alerts(), alerts(name="more"), alerts(status="resolved"), alerts(name="more", status="resolved"))
    rows = await desk.rows("SELECT name, status, ended_at FROM deadline")
    found = {(row["name"], row["status"]) for row in rows}
    assert found >= {
        ("acknowledge", "cancelled"),
        ("stale", "superseded"),
        ("stale", "cancelled"),
        ("postmortem", "pending"),
    }
    assert all((row["ended_at"] is None) == (row["status"] == "pending") for row in rows)


async def test_the_postmortems_deadline_is_known_twice_and_ends_once(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    armed = await desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")
    incident_id = await desk.incident_id("shop/checkout")
    assert (armed["topic"], armed["key"]) == ("review.signals", str(incident_id))
    required = postmortem(incident_id, armed)
    withdrawn = PostmortemWithdrawn(id=uuid.uuid4(), key=str(incident_id), incident_id=incident_id)
    await desk.review(required, withdrawn)
    again = await desk.rows("SELECT * FROM deadline WHERE name = 'postmortem'")
    assert [row["status"] for row in again] == ["cancelled"]
    assert await desk.value("SELECT postmortem_status FROM review") == "suspended"
    await desk.handle(alerts(name="again"))  # reopens: the incident cancels it too, and nothing changes
    assert await desk.rows("SELECT * FROM deadline WHERE name = 'postmortem'") == again


async def test_a_review_is_reminded_and_its_page_of_the_ledger_is_its_own(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    armed = await desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")
    await desk.review(postmortem(armed["owner_id"], armed))
    await desk.rows(DUE)
    for due in await desk.store.ledger.claim_due(10, LEASE):
        assert due.topic == "review.signals"
        await desk.review(
            DeadlineReached(id=uuid.uuid4(), key=due.key, deadline_id=due.id, name=due.name, due_at=due.due_at)
        )
    statuses = await desk.rows(
        "SELECT name, status FROM deadline WHERE name LIKE 'postmortem%%' AND ended_at IS NOT NULL"
    )
    assert {(row["name"], row["status"]) for row in statuses} >= {
        ("postmortem", "fired"),
        ("postmortem/reminder", "fired"),
    }
    assert await desk.value("SELECT count(*) FROM delivery WHERE kind = 'reminder'") == 2
    assert len(await desk.store.reads.deadlines(armed["owner_id"], 100)) == await desk.value(
        "SELECT count(*) FROM deadline"
    )


@pytest.mark.parametrize("again", [False, True])
async def test_a_postmortem_whose_record_on_the_feed_was_lost_is_opened_by_its_deadline(
    desk: Desk,
    again: bool,  # noqa: FBT001 (a parameter of the story)
) -> None:
    """Again: the review knows an earlier ending, and the reopening and the later ending were lost."""
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    if again:
        [told] = await desk.store.log.endings([await desk.incident_id("shop/checkout")])
        await desk.follow(told)
        await desk.handle(alerts(name="again"))
        await desk.resolve("shop/checkout")
    await desk.rows(DUE + " AND name = 'postmortem'")
    [due] = [one for one in await desk.store.ledger.claim_due(10, timedelta(0)) if one.name == "postmortem"]
    reaching = reached(await desk.one("SELECT * FROM deadline WHERE id = %s", due.id))
    await desk.review(reaching)
    await desk.review(replace(reaching, id=uuid.uuid4()))
    assert [one.name for one in await desk.store.ledger.claim_due(10, timedelta(0))] == []
    assert await desk.value("SELECT status FROM deadline WHERE id = %s", due.id) == "fired"
    assert await desk.value("SELECT postmortem_status FROM review") == "open"
    assert await desk.value("SELECT count(*) FROM delivery WHERE kind = 'reminder'") == 1
    before = await desk.rows("SELECT kind FROM event WHERE stream = 'review'")
    [endings] = await desk.store.log.endings([await desk.incident_id("shop/checkout")])
    assert len(endings.events) == (3 if again else 1)
    await desk.follow(endings)  # it was only late
    assert await desk.rows("SELECT kind FROM event WHERE stream = 'review'") == before


async def test_an_ending_that_the_inbox_has_forgotten_opens_no_second_postmortem(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    [endings] = await desk.store.log.endings([await desk.incident_id("shop/checkout")])
    await desk.follow(endings)
    await desk.rows("DELETE FROM inbox")
    await desk.follow(endings)
    await desk.review(reached(await desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")))
    kinds = [row["kind"] for row in await desk.rows("SELECT kind FROM event WHERE stream = 'review' ORDER BY seq")]
    assert kinds == ["postmortem_opened", "deadline_passed", "owner_reminded"]


async def test_a_postmortems_deadline_that_a_reopening_outran_opens_nothing(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    armed = await desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")
    await desk.handle(alerts(name="again"))
    await desk.review(reached(armed))
    assert await desk.value("SELECT postmortem_status FROM review") == "suspended"
    assert await desk.value("SELECT count(*) FROM delivery WHERE kind = 'reminder'") == 0
    waiting = "SELECT count(*) FROM deadline WHERE name LIKE 'postmortem%%' AND ended_at IS NULL"
    assert await desk.value(waiting) == 0
    assert await desk.value("SELECT status FROM deadline WHERE id = %s", armed["id"]) == "cancelled"


async def test_a_sleeper_is_woken_for_what_is_due_at_once_and_survives_its_connection(desk: Desk) -> None:
    async with desk.store.ledger.alarm() as alarm:
        assert not await alarm.wait(timedelta(seconds=0.05))
        sleeping = asyncio.create_task(alarm.wait(timedelta(seconds=20)))
        await desk.rows("SELECT pg_notify('deadline', '')")
        async with asyncio.timeout(10):
            assert await sleeping
        await desk.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query = 'LISTEN deadline' AND datname = current_database()"
        )
        assert not await alarm.wait(timedelta(seconds=0.05))
        assert not await alarm.wait(timedelta(seconds=0.05))
        await desk.rows("SELECT pg_notify('deadline', '')")
        async with asyncio.timeout(10):
            assert await alarm.wait(timedelta(seconds=20))


@pytest.mark.parametrize(
    ("left", "told"), [(timedelta(seconds=1.5), ["", "the end"]), (timedelta(seconds=3), ["the end"])]
)
async def test_sleepers_are_woken_only_for_what_is_due_before_they_look(
    desk: Desk, left: timedelta, told: list[str]
) -> None:
    signal = alerts()
    step = step_of(None, signal, incident.decide(None, signal, POLICY, T0), T0, "INC-1")
    soonest = min(entry.deadline.due_at for entry in step.ledger)
    statements = ledger_writes.write([step], soonest - left)
    async with await psycopg.AsyncConnection.connect(desk.url, autocommit=True) as listening:
        await listening.execute("LISTEN deadline")
        async with desk.store.incidents() as transaction:
            for statement in statements:
                await transaction._session.execute(*statement)
        await desk.rows("SELECT pg_notify('deadline', 'the end')")
        heard = [notice.payload async for notice in listening.notifies(timeout=10, stop_after=len(told))]
    assert heard == told


def postmortem(incident_id: uuid.UUID, armed: dict[str, Any]) -> PostmortemRequired:
    return PostmortemRequired(
        id=uuid.uuid4(),
        key=str(incident_id),
        incident_id=incident_id,
        number="INC-1",
        title="it fails",
        severity=Severity.SEV1,
        owner="ana",
        resolved_at=armed["armed_at"],
        due_at=armed["due_at"],
        deadline_id=armed["id"],
        policy_version="p1",
    )
