"""The one transaction: redelivery, zombies, races for a new key, numbers."""

from __future__ import annotations

import asyncio

from tests.store.desk import Desk, alerts


async def test_an_incident_is_written_whole(desk: Desk):
    await desk.handle(alerts())
    row = await desk.one("SELECT * FROM incident")
    assert (row["status"], row["severity"], row["generation"]) == ("triggered", "SEV1", 1)
    assert await desk.dump_events(row["id"]) == ["incident_opened", "alerts_joined", "level_paged"]
    assert {one["name"] for one in await desk.rows("SELECT name FROM deadline")} == {"acknowledge", "stale"}
    kinds = [one["kind"] for one in await desk.rows("SELECT kind FROM delivery ORDER BY seq")]
    assert kinds == ["channel", "announcement", "initial_report", "publication", "page"]
    assert await desk.value("SELECT changed FROM inbox")


async def test_a_batch_delivered_again_changes_nothing(desk: Desk):
    batch = [alerts(f"key-{number}") for number in range(20)]
    batch += [alerts("key-3", name="another"), alerts("key-4", status="resolved")]
    await desk.handle(*batch)
    before = await desk.everything()
    await desk.handle(*batch)
    await desk.handle(*reversed(batch))
    assert await desk.everything() == before
