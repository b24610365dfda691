"""Maintenance windows by the API, and what customers read of them. POLICY 21."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from streams.web import status_page
from tests.web.world import World

Client = httpx.AsyncClient
PATH = "/api/v1/maintenance"


def plan(world: World, ahead: float = 0, hours: float = 2, **more: Any) -> dict[str, Any]:
    starts_at = world.now() + timedelta(hours=ahead)
    times = {"ends_at": (starts_at + timedelta(hours=hours)).isoformat()}
    if ahead:
        times["starts_at"] = starts_at.isoformat()
    return {"title": "Upgrade of the shop", "services": ["checkout"], "by": "alice", **times, **more}


async def test_a_window_is_planned_shown_moved_and_ended(api: Client, world: World) -> None:
    answer = await api.post(PATH, json=plan(world, ahead=1))
    assert answer.status_code == 201
    window = answer.json()["window"]
    assert (window["status"], window["by"], window["rule"]) == ("planned", "alice", "")
    assert answer.json()["unknown"] == []
    later = (world.now() + timedelta(hours=9)).isoformat()
    moved = (await api.post(f"{PATH}/{window['id']}/end", json={"ends_at": later})).json()
    assert moved["changed"]
    assert (await api.get(f"{PATH}/{window['id']}")).json() == moved["window"]
    cancelled = (await api.post(f"{PATH}/{window['id']}/cancel", json={"by": "bob"})).json()
    assert (cancelled["window"]["status"], cancelled["window"]["ended_by"]) == ("cancelled", "bob")
    assert not (await api.post(f"{PATH}/{window['id']}/cancel")).json()["changed"]
    assert (await api.get(PATH, params={"status": "planned"})).json() == []
    assert len((await api.get(PATH)).json()) == 1


async def test_a_repeat_with_the_same_key_changes_nothing(api: Client, world: World) -> None:
    asked, key = plan(world), {"Idempotency-Key": "k1"}
    first, again = [(await api.post(PATH, json=asked, headers=key)).json() for _ in range(2)]
    assert first["window"] == again["window"]
    assert len((await api.get(PATH)).json()) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hours": -1}, "ends_at"),
        ({"hours": 24 * 8}, "more than 7 d"),
        ({"services": []}, "services"),
        ({"title": " "}, "title"),
        ({"until": "soon"}, "until"),
        ({"starts_at": "9999-12-31T08:00-12:00", "ends_at": "9999-12-31T20:00-12:00"}, "starts_at: 9999"),
    ],
)
async def test_what_cannot_be_is_refused(api: Client, world: World, changes: dict[str, Any], error: str) -> None:
    answer = await api.post(PATH, json=plan(world, **changes))
    assert answer.status_code == 422
    assert error in answer.json()["error"]


async def test_a_window_that_has_not_begun_cannot_end(api: Client, world: World) -> None:
    window = (await api.post(PATH, json=plan(world, ahead=1))).json()["window"]
    answer = await api.post(f"{PATH}/{window['id']}/end")
    assert answer.status_code == 422
    assert "/cancel" in answer.json()["hint"]
    assert (await api.get(f"{PATH}/{window['id'].replace('-', '0')}")).status_code in {404, 422}


async def test_nobody_plans_without_a_token(anybody: Client, world: World) -> None:
    assert (await anybody.post(PATH, json=plan(world))).status_code == 401
    assert (await anybody.get(PATH)).status_code == 401


async def test_customers_read_what_was_announced(api: Client, anybody: Client, world: World) -> None:
    await api.post(PATH, json=plan(world, services=["checkout"]))
    await api.post(PATH, json=plan(world, ahead=24 * 3, title="Patches"))
    await api.post(PATH, json=plan(world, ahead=24 * 30, title="Not announced yet"))
    world.ahead += status_page.FRESH_FOR
    shown = (await anybody.get("/")).text
    assert "Upgrade of the shop" in shown
    assert "Under maintenance" in shown
    assert "Patches" in shown
    assert "Not announced yet" not in shown
    assert "alice" not in shown
    summary = (await anybody.get("/api/v2/summary.json")).json()
    told = [(one["name"], one["status"]) for one in summary["scheduled_maintenances"]]
    assert told == [("Upgrade of the shop", "in_progress"), ("Patches", "scheduled")]
