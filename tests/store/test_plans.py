"""What a statement reads does not grow with what there is, whatever the planner saw when it looked last.

It looks at quiet moments, too: then next to nothing is live, and reading all that is seems cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models.store import outbox
from tests.store.desk import Desk, alerts

_ENDED, _STORM, _CLAIMED = 20_000, 3_000, 32
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


@pytest.mark.parametrize("provider", ["pagerduty", "slack"])
async def test_a_storm_after_a_quiet_night_is_claimed_by_its_indexes(desk: Desk, provider: str) -> None:
    async with await psycopg.AsyncConnection.connect(desk.url, autocommit=True) as connection:
        await connection.execute(_A_QUIET_YEAR, (_ENDED,))
        await connection.execute("VACUUM ANALYZE delivery")
        await desk.handle(alerts("storm"))
        await connection.execute(_MORE_OF_THE_SAME, (_STORM,))
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute("SELECT set_config('plan_cache_mode', %s, false)", (mode,))
            read = await _blocks(connection, outbox._CLAIM, (provider, _CLAIMED, timedelta(seconds=6)))
            assert read < 40 * _CLAIMED, f"{mode}: a claim of {_CLAIMED} read {read} blocks"


async def _blocks(connection: psycopg.AsyncConnection[Any], statement: str, parameters: Sequence[Any]) -> int:
    """How many it touches, of tables and indexes."""
    query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    found = await (await connection.execute(query, parameters, prepare=True)).fetchall()
    plan = found[0][0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
