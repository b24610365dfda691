"""What a write costs PostgreSQL: which updates stay within their page, and that the indexes left are those used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models.store import feed, figures, outbox
from tests.store.desk import LEASE, Desk, alerts

_ASKED = """
SELECT array_agg(DISTINCT a.attname::text) FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND (a.attnum = ANY(i.indkey) OR EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
      AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
))
WHERE i.indrelid = %s::regclass
"""
_IN_PLACE = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = %s"
_LONG_AGO = """
INSERT INTO delivery (id, incident_key, provider, kind, lane, urgency, status, body, ended_at, reported_at)
SELECT gen_random_uuid(), 'k', 'slack', 'notice', 'lane ' || n / 10, 1, 'delivered', '{}', now(), now()
FROM generate_series(1, 50000) AS n;
INSERT INTO event (owner_id, stream, seq, at, kind, body, signal_id)
SELECT gen_random_uuid(), 'incident', 1, now(), 'k', '{}', gen_random_uuid() FROM generate_series(1, 50000);
INSERT INTO unpublished (at, owner_id, last, first) SELECT at, owner_id, seq, seq FROM event LIMIT 5000
"""
_STORM = """
INSERT INTO delivery (id, incident_key, provider, kind, lane, urgency, status, body, ended_at)
SELECT gen_random_uuid(), 'k', 'pagerduty', 'page', 'lane ' || n, 0,
    CASE WHEN {live} THEN 'pending' ELSE 'delivered' END, json_build_object('a', repeat('x', 1000)),
    CASE WHEN NOT ({live}) THEN now() END
FROM generate_series(1, 3000) AS n
"""


@pytest.mark.parametrize(
    ("table", "changing"),
    [
        ("delivery", {"status", "attempts", "next_at", "unknown", "cancel_requested", "detail", "receipts"}),
        ("incident", {"seq", "updated_at", "state"}),
        ("receipt", {"refs"}),
    ],
)
async def test_no_index_asks_what_changes_often(desk: Desk, table: str, changing: set[str]) -> None:
    assert changing.isdisjoint(await desk.value(_ASKED, table))


async def test_a_claim_and_a_retry_stay_within_their_page(desk: Desk) -> None:
    await desk.handle(*(alerts(f"k{number}") for number in range(20)))
    async with await psycopg.AsyncConnection.connect(desk.url) as connection:
        await connection.execute(outbox._CLAIM, ("slack", 20, LEASE))
        await connection.execute("UPDATE delivery SET status = 'pending', detail = '429' WHERE status = 'sending'")
        row = await (await connection.execute(_IN_PLACE, ("delivery",))).fetchone()
        assert row == (40, 40)


@pytest.mark.parametrize("live", ["true", "n > 1500", "n > 2990"])
async def test_in_a_storm_a_claim_reads_what_it_takes(desk: Desk, live: str) -> None:
    """Also where PostgreSQL has counted in the midst of it, and whether or not it plans for these parameters."""
    await desk.rows(_STORM.format(live=live))
    await desk.rows("VACUUM ANALYZE delivery")
    for mode in ("force_custom_plan", "force_generic_plan"):
        async with await psycopg.AsyncConnection.connect(desk.url) as connection:
            await connection.execute(f"SET plan_cache_mode = {mode}")
            await connection.execute(f"PREPARE claim (text, int, interval) AS {outbox._CLAIM % ('$1', '$2', '$3')}")
            lines = await (await connection.execute("EXPLAIN EXECUTE claim ('pagerduty', 32, '6 s')")).fetchall()
        plan = "\n".join(line for (line,) in lines)
        assert "Index Scan using delivery_live on delivery d_1" in plan, plan
        assert "Sort" not in plan, plan


@pytest.mark.parametrize(
    ("query", "parameters", "indexes"),
    [
        (outbox._CLAIM, ("slack", 20, LEASE), {"delivery_live", "delivery_lane"}),
        (outbox._REPORTS, (timedelta(0), timedelta(seconds=30), 200), {"delivery_untold"}),
        (str(figures._OLDEST_PAGE), (), {"delivery_live"}),
        ("SELECT provider, count(*) FROM delivery WHERE refused GROUP BY 1", (), {"delivery_refused"}),
        (feed._UNPUBLISHED, {"limit": 500}, {"unpublished_pkey", "event_pkey"}),
    ],
)
async def test_what_is_asked_all_the_time_reads_no_history(
    desk: Desk, query: str, parameters: Any, indexes: set[str]
) -> None:
    await desk.rows(_LONG_AGO)
    await desk.handle(*(alerts(f"k{number}") for number in range(40)))
    await desk.rows("VACUUM ANALYZE delivery, event, incident, unpublished")
    async with await psycopg.AsyncConnection.connect(desk.url) as connection:
        lines = await (await connection.execute(f"EXPLAIN (COSTS OFF) {query}", parameters)).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert {name for name in indexes if name in plan} == indexes, plan
    assert "Seq Scan on delivery" not in plan, plan
