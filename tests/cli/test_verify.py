"""`tocsin verify` at a terminal: what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from models.store.store import Store
from tests.cli.conftest import Operator
from tests.store.desk import Desk
from tests.store.shop import Shop


@pytest.fixture
def beside(lonely: Operator, database_url: str) -> Operator:
    """An operator who reaches the database and nothing else."""
    lonely.env["TOCSIN_DATABASE_URL"] = database_url
    return lonely


def live(url: str, story: Callable[[Shop], Awaitable[object]]) -> None:
    """Something happens at a desk; commands run on a loop of their own."""

    async def at_the_desk() -> None:
        store = await Store.open(url)
        try:
            await story(Shop(Desk(store, url)))
        finally:
            await store.close()

    asyncio.run(at_the_desk())


def test_a_sound_ledger_ends_with_0_and_says_what_was_looked_at(beside: Operator, database_url: str) -> None:
    live(database_url, lambda shop: shop.alert())
    said = beside.gets("verify", "--since", "24h")
    assert said.startswith("no findings; looked at 1 incident, open or changed since ")
    answer = beside.reads("verify")
    assert (answer["ok"], answer["incidents"], answer["findings"]) == (True, 1, [])


def test_a_finding_ends_with_1_and_is_one_line_with_what_to_do(beside: Operator, database_url: str) -> None:
    live(database_url, lambda shop: shop.alert())
    live(database_url, lambda shop: shop.desk.rows("DELETE FROM delivery WHERE kind = 'page'"))
    result = beside.types("verify")
    assert result.exit_code == 1
    finding, summary = result.stdout.splitlines()
    assert finding.startswith("INC-")
    assert "page-lost" in finding
    assert "`tocsin escalate`" in finding
    assert summary.startswith("1 finding; ")
    answer = json.loads(beside.types("verify", "--json").stdout)
    assert [one["kind"] for one in answer["findings"]] == ["page-lost"]
    assert answer["findings"][0]["remedy"]


def test_what_keeps_it_from_looking(lonely: Operator) -> None:
    assert "no database" in lonely.fails(3, "verify")
    lonely.env["TOCSIN_DATABASE_URL"] = "postgresql://tocsin@127.0.0.1:1/tocsin"
    assert "unavailable" in lonely.fails(3, "verify")
    assert "30s, 5m" in lonely.fails(2, "verify", "--since", "yesterday")
