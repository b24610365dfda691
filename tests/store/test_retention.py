"""Retention: what is old and over goes, in small bites; nothing that anybody may still wait for does."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from models.deliveries import Delivered
from models.review_signals import ActionItemRequested, PostmortemCompleted
from models.severity import Priority
from models.store.retention import Keep, Retention
from tests.store.desk import T0, Desk, alerts
from tests.store.test_ledger import postmortem

KEEP = Keep(inbox=timedelta(days=60), ended=timedelta(days=90), incidents=timedelta(days=2557))
CLOCKS = {
    "inbox": ("at",),
    "event": ("at",),
    "incident": ("opened_at", "resolved_at", "updated_at"),
    "review": ("updated_at",),
    "action_item": ("created_at", "done_at"),
    "deadline": ("armed_at", "ended_at", "due_at", "next_at"),
    "delivery": ("created_at", "ended_at", "reported_at", "next_at"),
    "policy": ("first_seen",),
    "publication": ("at",),
    "alert_group": ("told_at",),
}


async def age(desk: Desk, days: int, *tables: str) -> None:
    """As if so many days had passed."""
    for table in tables or CLOCKS:
        moved = ", ".join(f"{column} = {column} - make_interval(days => {days})" for column in CLOCKS[table])
        await desk.rows(f"UPDATE {table} SET {moved}")


async def sweep(desk: Desk) -> None:
    while await desk.store.retention.sweep(KEEP, "p-now"):
        pass


async def counts(desk: Desk, *tables: str) -> tuple[int, ...]:
    return tuple([await desk.value(f"SELECT count(*) FROM {table}") for table in tables])


async def end(desk: Desk) -> None:
    """Everything is sent, told and published, and the postmortem is written."""
    for provider in ("pagerduty", "slack", "statuspage"):
        while claimed := await desk.store.outbox.claim(provider, 100, timedelta(seconds=30)):
            await desk.store.outbox.finish([(one, Delivered("sent", {"id": "1"}), None) for one in claimed])
    await desk.store.outbox.reported(await desk.store.outbox.reports(100, timedelta(days=1), timedelta(0)))
    await desk.store.log.published(await desk.store.log.unpublished(1000))


async def over(desk: Desk, key: str = "shop/checkout") -> None:
    """An incident and all that follows from it, to its end."""
    await desk.store.remember_groups([(f"prod/{key}", key)])
    await desk.handle(alerts(key))
    await end(desk)
    await desk.resolve(key)
    armed = await desk.one("SELECT * FROM deadline WHERE name = 'postmortem' AND status = 'pending'")
    owner = armed["owner_id"]
    done = PostmortemCompleted(id=uuid.uuid4(), key=str(owner), incident_id=owner, by="ana", via="api", url="https://x")
    await desk.review(postmortem(owner, armed), done)
    await end(desk)


async def test_what_has_ended_goes_after_its_age_and_the_audit_log_stays(desk: Desk) -> None:
    await over(desk)
    kept = await counts(desk, "event", "incident", "review", "receipt")
    before = await counts(desk, "inbox", "delivery", "deadline", "alert_group")
    await age(desk, 59)
    await sweep(desk)
    assert await counts(desk, "inbox", "delivery", "deadline", "alert_group") == before
    await age(desk, 2)
    await sweep(desk)
    assert await counts(desk, "inbox", "delivery", "deadline", "alert_group") == (0, *before[1:])
    await age(desk, 30)
    await sweep(desk)
    assert await counts(desk, "delivery", "deadline", "alert_group") == (0, 0, 0)
    assert await counts(desk, "event", "incident", "review", "receipt") == kept


async def test_after_seven_years_an_incident_goes_whole(desk: Desk) -> None:
    await over(desk)
    await desk.store.save_policy("p1", "mine", "text")
    await desk.store.save_policy("p-now", "mine", "text")
    await age(desk, 2556)
    await sweep(desk)
    assert await counts(desk, "incident", "policy") == (1, 2)
    await age(desk, 2)
    await over(desk, "another")
    await sweep(desk)
    assert [row["key"] for row in await desk.rows("SELECT key FROM incident")] == ["another"]
    another = await desk.incident_id("another")
    for table, owner in (("event", "owner_id"), ("review", "incident_id"), ("receipt", "incident_id")):
        assert {row[owner] for row in await desk.rows(f"SELECT {owner} FROM {table}")} == {another}
    await desk.rows("UPDATE incident SET policy_version = 'p2'")
    await sweep(desk)
    assert [row["version"] for row in await desk.rows("SELECT version FROM policy")] == ["p-now"]


async def test_an_open_incident_keeps_what_it_needs_for_ever(desk: Desk) -> None:
    await desk.store.remember_groups([("prod/shop/checkout", "shop/checkout")])
    await desk.handle(alerts(), alerts(name="more"))
    await desk.acknowledge("shop/checkout")
    await end(desk)
    needed = ("incident", "event", "delivery", "alert_group", "receipt")
    before = await counts(desk, *needed)
    await age(desk, 9999)
    await sweep(desk)
    assert await counts(desk, *needed) == before
    assert {row["status"] for row in await desk.rows("SELECT status FROM deadline")} == {"pending"}
    await desk.handle(alerts(status="resolved"), alerts(name="more", status="resolved"))
    assert await desk.value("SELECT status FROM incident") == "resolved"


@pytest.mark.parametrize(
    "undone",
    [
        "INSERT INTO unpublished (at, owner_id, last, first) SELECT at, owner_id, seq, 1 FROM event WHERE seq = 2",
        "UPDATE delivery SET status = 'pending', ended_at = NULL WHERE kind = 'initial_report'",
        "UPDATE delivery SET reported_at = NULL WHERE kind = 'page'",
        "UPDATE deadline SET status = 'claimed', ended_at = NULL WHERE name = 'postmortem'",
        "UPDATE review SET postmortem_status = 'open'",
        "UPDATE review SET updated_at = now()",
        "UPDATE incident SET updated_at = now()",
    ],
)
async def test_what_anybody_waits_for_keeps_its_incident(desk: Desk, undone: str) -> None:
    await over(desk)
    await age(desk, 9999)
    await desk.rows(undone)
    kept = await counts(desk, "incident", "event", "review")
    await sweep(desk)
    assert await counts(desk, "incident", "event", "review") == kept
    left = "SELECT count(*) FROM delivery WHERE status = 'pending' OR (kind = 'page' AND reported_at IS NULL)"
    assert await desk.value(left) == ("UPDATE delivery" in undone)
    assert await desk.value("SELECT count(*) FROM deadline") == ("UPDATE deadline" in undone)


async def test_an_action_item_that_is_not_done_keeps_its_incident(desk: Desk) -> None:
    await over(desk)
    owner = await desk.incident_id("shop/checkout")
    asked = ActionItemRequested(
        id=uuid.uuid4(), key=str(owner), incident_id=owner, by="ana", via="api", number="INC-1", title="mend it",
        owner="ana", due_at=T0, priority=Priority.P2, policy_version="p1",
    )  # fmt: skip
    await desk.review(asked)
    await desk.rows("UPDATE deadline SET status = 'fired', ended_at = now() WHERE ended_at IS NULL")
    await end(desk)
    await age(desk, 9999)
    await sweep(desk)
    assert await counts(desk, "incident", "action_item", "deadline") == (1, 1, 0)


async def test_a_group_stays_while_a_later_generation_of_its_incident_is_young(desk: Desk) -> None:
    await over(desk)
    await age(desk, 91)
    await desk.rows("UPDATE incident SET state = jsonb_set(state::jsonb, '{reopen_until}', '\"2020-01-01T00:00:00Z\"')")
    await desk.handle(alerts(name="anew"))
    assert await desk.value("SELECT count(*) FROM incident") == 2
    await sweep(desk)
    assert await desk.store.keys_of_groups(["prod/shop/checkout"]) == {"prod/shop/checkout": ["shop/checkout"]}


async def test_an_incident_in_hand_is_passed_by(desk: Desk, other_desk: Desk) -> None:
    await over(desk)
    await age(desk, 9999)
    again = alerts()
    async with other_desk.store.incidents() as transaction:
        await transaction.begin([(again.id, again.kind, again.key)])
        await sweep(desk)
        assert await counts(desk, "incident") == (1,)
    await sweep(desk)
    assert await counts(desk, "incident", "event") == (0, 0)


async def test_bites_are_small_and_pass_by_what_another_worker_holds(desk: Desk, other_desk: Desk) -> None:
    retention = Retention(desk.store._database, rows=10)
    await fill(desk, 25)
    await age(desk, 61, "inbox")
    assert await retention.sweep(KEEP, "p-now")
    assert await desk.value("SELECT count(*) FROM inbox") == 15
    async with other_desk.store._database.connection() as held, held.transaction():
        await held.execute("SELECT FROM inbox LIMIT 5 FOR UPDATE")
        assert await retention.sweep(KEEP, "p-now")
        assert not await retention.sweep(KEEP, "p-now")
        assert await desk.value("SELECT count(*) FROM inbox") == 5
    await sweep(desk)
    assert await desk.value("SELECT count(*) FROM inbox") == 0


@pytest.mark.parametrize(("table", "clock"), [("inbox", "at"), ("deadline", "armed_at"), ("delivery", "created_at")])
async def test_old_rows_are_found_without_reading_the_young(desk: Desk, table: str, clock: str) -> None:
    await fill(desk, 100_000)
    await desk.rows("VACUUM ANALYZE inbox, deadline, delivery")
    plan = await desk.rows(
        f"EXPLAIN (ANALYZE, COSTS OFF) SELECT ctid FROM {table} WHERE {clock} < statement_timestamp() - interval '60 d'"
        " LIMIT 2000 FOR UPDATE SKIP LOCKED"
    )
    assert f"Bitmap Index Scan on {table}_age" in "\n".join(line["QUERY PLAN"] for line in plan)


async def fill(desk: Desk, rows: int) -> None:
    """So many rows of the last month, a tenth of them at its beginning."""
    series = f"FROM generate_series(1, {rows}) AS n"
    at = f"now() - make_interval(secs => 2592000.0 * (1 - n::float / {rows}))"
    await desk.rows(f"INSERT INTO inbox (signal_id, key, kind, at) SELECT gen_random_uuid(), 'k', 'k', {at} {series}")
    await desk.rows(
        "INSERT INTO deadline (id, owner_id, topic, key, name, due_at, status, next_at, armed_at, ended_at)"
        f" SELECT gen_random_uuid(), gen_random_uuid(), 'incident.signals', 'k', 'stale', {at}, 'fired', {at}, {at},"
        f" {at} {series}"
    )
    await desk.rows(
        "INSERT INTO delivery (id, incident_key, provider, kind, lane, urgency, status, body, created_at, ended_at)"
        f" SELECT gen_random_uuid(), 'k', 'slack', 'refresh', 'l', 2, 'delivered', '{{}}', {at}, {at} {series}"
    )
