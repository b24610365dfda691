"""The book of heartbeats, in PostgreSQL and in memory: the same stories."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.heartbeats import Beat, Watched
from models.signals import PathProbed
from tests.memory_heartbeats import MemoryHeartbeats
from tests.store.desk import Desk

PLACE = ("prod", "watchdog")
SECOND = timedelta(seconds=1)


@dataclass
class Shelf:
    """A book, its present, how time is made to pass over its rows, and how it becomes deaf."""

    book: Any
    now: Callable[[], Awaitable[datetime]]
    age: Callable[[timedelta], Awaitable[None]]
    deafen: Callable[[], Awaitable[None]]

    async def hear(self, *, ago: timedelta = timedelta(0), resolved: bool = False) -> datetime:
        at = await self.now() - ago
        await self.book.remember_beats([Beat(*PLACE, at, resolved=resolved)])
        return at

    async def one(self) -> Watched:
        _, [found] = await self.book.look([])
        assert isinstance(found, Watched)
        return found


@pytest.fixture
async def desk_shelf(desk: Desk) -> Shelf:
    async def age(span: timedelta) -> None:
        await desk.rows(
            "UPDATE heartbeat SET looked_at = looked_at - %s, awaited_since = awaited_since - %s", span, span
        )

    async def deafen() -> None:
        await desk.rows("UPDATE inbox SET at = at - interval '2 minutes'")

    await desk.handle(PathProbed(id=uuid.uuid4(), key="tocsin/probe/1"))
    return Shelf(desk.store.heartbeats, desk.store.reads.now, age, deafen)


@pytest.fixture
async def memory_shelf() -> Shelf:
    book = MemoryHeartbeats()

    async def now() -> datetime:
        return book.now()

    async def age(span: timedelta) -> None:
        for place, row in book.rows.items():
            assert row.looked_at is not None
            book.rows[place] = replace(row, looked_at=row.looked_at - span, awaited_since=row.awaited_since - span)

    async def deafen() -> None:
        book.deaf = True

    return Shelf(book, now, age, deafen)


@pytest.fixture(params=["desk_shelf", "memory_shelf"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Shelf)
    return found


async def test_the_latest_beat_counts_and_none_from_the_future(shelf: Shelf) -> None:
    heard = await shelf.hear(ago=5 * SECOND)
    await shelf.hear(ago=9 * SECOND)
    assert (await shelf.one()).heard_at == heard
    await shelf.hear(ago=timedelta(hours=-1))
    heard_at = (await shelf.one()).heard_at
    assert heard_at is not None
    assert heard < heard_at <= await shelf.now()


async def test_beats_of_one_batch_in_any_order_and_a_resolve_beside_them(shelf: Shelf) -> None:
    now = await shelf.now()
    beats = [Beat(*PLACE, now - late * SECOND) for late in (3, 1, 2)]
    await shelf.book.remember_beats([*beats, Beat(*PLACE, now - 2 * SECOND, resolved=True), Beat("a", "b", now)])
    _, rows = await shelf.book.look([])
    found = {row.sender: row for row in rows}
    assert found["prod"].heard_at == now - SECOND
    assert found["prod"].resolved_at == now - 2 * SECOND
    assert found["a"].resolved_at is None


async def test_who_is_expected_is_watched_from_the_first_look_on(shelf: Shelf) -> None:
    before = await shelf.now()
    _, [row] = await shelf.book.look([PLACE])
    assert row.heard_at is None
    assert before <= row.awaited_since
    assert (await shelf.one()).awaited_since == row.awaited_since


async def test_looks_without_a_break_leave_it_and_a_break_gives_time_again(shelf: Shelf) -> None:
    await shelf.hear()
    await shelf.age(timedelta(seconds=40))
    first = await shelf.one()
    assert first.awaited_since < await shelf.now() - 39 * SECOND
    await shelf.age(timedelta(seconds=50))
    now, [row] = await shelf.book.look([])
    assert row.awaited_since == now


async def test_while_nothing_comes_through_nothing_is_shown(shelf: Shelf) -> None:
    await shelf.hear()
    await shelf.deafen()
    assert (await shelf.book.look([PLACE]))[1] == []


async def test_a_silence_is_marked_once_and_not_past_a_beat(shelf: Shelf) -> None:
    await shelf.hear(ago=20 * SECOND)
    seen = await shelf.one()
    await shelf.hear(ago=5 * SECOND)
    now = await shelf.now()
    assert await shelf.book.found_missing([seen], now) == []
    seen = await shelf.one()
    [marked] = await shelf.book.found_missing([seen], now)
    assert marked.missing_at == now
    assert await shelf.book.found_missing([seen], now + SECOND) == []
    await shelf.book.told([marked])
    assert (await shelf.one()).told_at is not None
    await shelf.book.found_again([marked])
    row = await shelf.one()
    assert (row.missing_at, row.told_at) == (None, None)


async def test_what_another_worker_has_ended_is_not_ended_again(shelf: Shelf) -> None:
    await shelf.hear(ago=20 * SECOND)
    now = await shelf.now()
    [first] = await shelf.book.found_missing([await shelf.one()], now)
    await shelf.book.found_again([first])
    [second] = await shelf.book.found_missing([await shelf.one()], now + SECOND)
    await shelf.book.found_again([first])
    await shelf.book.told([first])
    row = await shelf.one()
    assert (row.missing_at, row.told_at) == (second.missing_at, None)


async def test_forgotten(shelf: Shelf) -> None:
    await shelf.hear()
    await shelf.book.forget([await shelf.one()])
    assert (await shelf.book.look([]))[1] == []


async def test_they_are_listed_by_sender_and_name(desk: Desk) -> None:
    now = await desk.store.reads.now()
    await desk.store.heartbeats.remember_beats([Beat("b", "x", now), Beat("a", "z", now), Beat("a", "y", now)])
    listed = await desk.store.reads.heartbeats()
    assert [(row.sender, row.name, row.heard_at) for row in listed] == [
        ("a", "y", now),
        ("a", "z", now),
        ("b", "x", now),
    ]
