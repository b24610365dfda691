"""What a statement reads does not grow with what there is, whatever the planner saw when it looked last.

It looks at quiet moments, too: then next to nothing is live, and reading all that is seems cheap.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models.deliveries import RetryLater
from models.heartbeats import Beat
from models.store import connection, neighbours, outbox, outbox_writes
from models.store.store import Store
from tests.store.desk import LEASE, T0, Desk, alerts
from tests.store.shop import KEY, Shop

_ENDED, _STORM, _BATCH = 20_000, 3_000, 32
_PREPARED = """
SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements
WHERE statement ~* '^[^a-z]*(SELECT|WITH|INSERT|UPDATE|DELETE)'
"""
_SOUGHT = re.compile(r"[$.]|statement_timestamp")
"""In a condition: a parameter, another table's column, the present. What is compared with constants only may be all."""
_QUEUES = {"delivery_untold", "deadline_next", "unpublished_pkey"}
"""Indexes that hold nothing but what waits, and are read in their order, as far as is wanted."""
_A_QUIET_YEAR = """
INSERT INTO delivery (id, incident_id, incident_key, provider, kind, lane, urgency, status, body, ended_at, reported_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'k' || n, provider, kind, n || provider, 1, 'delivered', '{}', now(), now()
FROM generate_series(1, %s) n, (VALUES ('pagerduty', 'page'), ('slack', 'announcement')) AS of (provider, kind)
"""
_MORE_OF_THE_SAME = """
INSERT INTO delivery (id, incident_id, incident_key, provider, kind, lane, urgency, status, body)
SELECT gen_random_uuid(), incident_id, incident_key, provider, kind, lane || '/' || n, urgency, status, body
FROM delivery, generate_series(1, %s) n WHERE status = 'pending'
"""


async def test_a_storm_after_a_quiet_night_is_worked_by_its_indexes(desk: Desk) -> None:
    await desk.rows(_A_QUIET_YEAR.replace("%s", str(_ENDED)))
    await desk.rows("VACUUM ANALYZE delivery")
    nothing: list[list[object]] = [[]] * 11
    async with desk.store.outbox._database.connection() as session:
        claim = await _prepared(session, outbox._CLAIM, ("slack", 0, LEASE))
        finish = await _prepared(session, outbox._FINISH, nothing)
        cancel = await _prepared(session, outbox_writes._CANCEL, nothing[:3])
        await desk.handle(alerts("storm"))
        await desk.rows(_MORE_OF_THE_SAME.replace("%s", str(_STORM)))
        waiting = await desk.rows("SELECT id, lane FROM delivery WHERE ended_at IS NULL LIMIT 32")
        ids, lanes = [row["id"] for row in waiting], [row["lane"] for row in waiting]
        outcomes = [[one] * _BATCH for one in ("delivered", 0, "", False, False, timedelta(0), None)]
        for name, parameters in {
            claim: ("slack", _BATCH, LEASE),
            finish: ([], [], [], ids, *outcomes),
            cancel: (["page"] * _BATCH, lanes, [""] * _BATCH),
        }.items():
            read = await _blocks(session, name, parameters)
            assert read < 60 * _BATCH, f"{name} of {_BATCH} read {read} blocks"


@pytest.fixture
async def prepared(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """A shop whose every statement is prepared when it is used first, while next to nothing is there."""
    monkeypatch.setitem(connection._CONNECT, "prepare_threshold", 0)
    store = await Store.open(database_url)
    yield Shop(Desk(store, database_url))
    await store.close()


async def test_what_was_planned_while_nothing_was_there_reads_nothing_from_end_to_end(prepared: Shop) -> None:
    """The event path keeps the plans that it began with; see `_EVENT_PATH`."""
    await _a_day_at(prepared)
    plans = await _plans(prepared.desk.store)
    assert len(plans) > 30
    told = {statement: found for statement, plan in plans.items() if (found := set(_read_whole(plan)) - _QUEUES)}
    assert not told


async def test_what_began_lately_is_found_by_its_index(desk: Desk) -> None:
    async with desk.store.outbox._database.connection() as connection:
        asked = (timedelta(minutes=5), 20, ["production"])
        found = await (await connection.execute(f"EXPLAIN {neighbours._BEGUN}", asked)).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "incident_newest" in plan
    assert "Seq Scan" not in plan


async def test_nothing_on_the_event_path_is_compiled(desk: Desk) -> None:
    async with desk.store.outbox._database.connection() as connection:
        assert await (await connection.execute("SHOW jit")).fetchall() == [("off",)]


async def _a_day_at(shop: Shop) -> None:
    """Something of everything that a worker does with the database."""
    desk, store = shop.desk, shop.desk.store
    await store.remember_groups([("g", "k")])
    await store.keys_of_groups(["g"])
    await shop.alert()
    await store.outbox.renew(await store.outbox.claim("slack", 1, LEASE), LEASE)
    await shop.send(RetryLater("busy"))
    await shop.reach("acknowledge")
    await shop.send()
    await desk.acknowledge(KEY)
    await desk.resolve(KEY)
    await shop.send()
    await store.ledger.until_next()
    async with store.log.relaying():
        excerpts = await store.log.unpublished(10)
        await desk.follow(*excerpts)
        await store.log.published(excerpts)
    await store.log.endings([await desk.incident_id(KEY)])
    await store.heartbeats.remember_beats([Beat("prod", "Watchdog", T0)])
    await store.windows.held()


async def _plans(store: Store) -> dict[str, dict[str, Any]]:
    """By statement: the plan that each prepared one has, in all sessions of the pool."""
    pool, plans = store.outbox._database._pool, {}
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_stats()["pool_size"]):
            session = await stack.enter_async_context(pool.connection())
            for name, statement, arity in await (await session.execute(_PREPARED)).fetchall():
                given = f"({', '.join(['NULL'] * arity)})" if arity else ""
                shown = await session.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{given}", prepare=False)
                [(plan,)] = await shown.fetchall()
                plans[" ".join(statement.split())] = plan[0]["Plan"]
    return plans


def _read_whole(plan: dict[str, Any]) -> Iterator[str]:
    """What the plan reads all of: a table, an index, or its own batch, again for every row of it."""
    is_index = plan["Node Type"].endswith(("Index Scan", "Index Only Scan"))
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    elif is_index and not _SOUGHT.search(plan.get("Index Cond", "")):
        yield plan["Index Name"]
    parts = plan.get("Plans", ())
    if plan["Node Type"] == "Nested Loop" and parts[1]["Node Type"] in {"Function Scan", "CTE Scan"}:
        yield parts[1]["Alias"]
    for part in parts:
        yield from _read_whole(part)


async def _prepared(session: psycopg.AsyncConnection[Any], statement: str, parameters: Sequence[Any]) -> str:
    """The name of the statement, whose plan is made now."""
    await session.execute(statement, parameters, prepare=True)
    newest = "SELECT name FROM pg_prepared_statements ORDER BY prepare_time DESC LIMIT 1"
    [(name,)] = await (await session.execute(newest, prepare=False)).fetchall()
    return str(name)


async def _blocks(session: psycopg.AsyncConnection[Any], prepared: str, parameters: Sequence[Any]) -> int:
    """How many it touches, of tables and indexes."""
    given = ", ".join(["%s"] * len(parameters))
    async with psycopg.AsyncClientCursor(session) as cursor:
        await cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {prepared}({given})", parameters)
        [(found,)] = await cursor.fetchall()
    plan = found[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
