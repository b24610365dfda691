"""What a statement reads does not grow with what there is, whatever the planner saw when it looked last.

It looks at quiet moments, too: then next to nothing is live, and reading all that is seems cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg

from models.store import neighbours, outbox, outbox_writes
from tests.store.desk import LEASE, Desk, alerts

_ENDED, _STORM, _BATCH = 20_000, 3_000, 32
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
    await desk.handle(alerts("storm"))
    await desk.rows(_MORE_OF_THE_SAME.replace("%s", str(_STORM)))
    ids = [row["id"] for row in await desk.rows("SELECT id FROM delivery WHERE ended_at IS NULL LIMIT 32")]
    lanes = [row["lane"] for row in await desk.rows("SELECT lane FROM delivery WHERE ended_at IS NULL LIMIT 32")]
    outcomes = [[one] * _BATCH for one in ("delivered", 0, "", False, False, timedelta(0), None)]
    statements: dict[str, tuple[str, Sequence[Any]]] = {
        "claim": (outbox._CLAIM, ("slack", _BATCH, LEASE)),
        "finish": (outbox._FINISH, (ids, [], [], [], ids, *outcomes)),
        "cancel": (outbox_writes._CANCEL, (["page"] * _BATCH, lanes, [""] * _BATCH)),
    }
    async with desk.store.outbox._database.connection() as connection:
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute("SELECT set_config('plan_cache_mode', %s, false)", (mode,))
            for name, told in statements.items():
                read = await _blocks(connection, *told)
                assert read < 60 * _BATCH, f"{mode}: {name} of {_BATCH} read {read} blocks"


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


async def _blocks(connection: psycopg.AsyncConnection[Any], statement: str, parameters: Sequence[Any]) -> int:
    """How many it touches, of tables and indexes; it changes nothing."""
    async with connection.transaction(force_rollback=True):
        query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        found = await (await connection.execute(query, parameters, prepare=True)).fetchall()
    plan = found[0][0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
