"""A store on an empty database, a second worker's on the same, and a shop on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from models.store.store import Store
from tests.store.desk import Desk
from tests.store.shop import Shop


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    store = await Store.open(database_url)
    yield Desk(store, database_url)
    await store.close()


@pytest.fixture
async def other_desk(database_url: str) -> AsyncIterator[Desk]:
    store = await Store.open(database_url)
    yield Desk(store, database_url)
    await store.close()


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)
