"""The feed: every event once it is committed, in order per incident, by one relay at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agents import relay
from models.feed import decode_feed, encode_feed, kinds_of
from models.records import Outgoing, Unreadable
from models.severity import Severity
from models.store.errors import Unavailable
from tests.store.desk import Desk, alerts


async def test_everything_is_published_in_order_however_small_the_bites(desk: Desk) -> None:
    await desk.handle(*(alerts(f"k{number}") for number in range(5)))
    await desk.acknowledge("k2")
    await desk.handle(alerts("k2", name="later"))
    seen: dict[str, list[int]] = {}
    while records := await desk.store.log.unpublished(4):
        assert await desk.store.log.unpublished(4) == records
        await desk.store.log.published(records)
        for record in records:
            seen.setdefault(record.about.key, []).extend(entry.seq for entry in record.events)
    assert seen == {**{f"k{number}": [1, 2, 3] for number in range(5)}, "k2": [1, 2, 3, 4, 5, 6]}


async def test_a_record_tells_what_identifies_the_incident(desk: Desk) -> None:
    await desk.handle(alerts())
    [record] = await desk.store.log.unpublished(100)
    told = decode_feed(encode_feed(record))
    incident = await desk.store.reads.incident_by_id(told.incident_id)
    assert incident is not None
    assert (told.key, told.number, told.severity) == (incident.key, incident.number, Severity.SEV1)
    timeline = await desk.store.reads.timeline(incident.id)
    assert [(one.seq, one.at, one.event) for one in told.events] == [(it.seq, it.at, it.event) for it in timeline]
    assert kinds_of(record) == b"incident_opened,alerts_joined,level_paged"


async def test_what_commits_late_is_not_left_behind(desk: Desk, other_desk: Desk) -> None:
    slow = alerts("slow")
    async with desk.store.incidents() as transaction:
        await transaction.begin([(slow.id, slow.kind, slow.key)])  # took its time first, commits last
        await other_desk.handle(alerts("quick"))
        await other_desk.store.log.published(await other_desk.store.log.unpublished(100))
    await desk.handle(alerts("slow"))
    await desk.rows("UPDATE event e SET at = e.at - interval '1 day' FROM unpublished u WHERE u.owner_id = e.owner_id")
    await desk.rows("UPDATE unpublished SET at = at - interval '1 day'")
    assert [record.about.key for record in await desk.store.log.unpublished(100)] == ["slow"]


async def test_the_log_itself_is_written_once(desk: Desk) -> None:
    await desk.handle(alerts("a"), alerts("b"), alerts("a", name="more"))
    await desk.acknowledge("a")
    written = await desk.rows("SELECT xmin, * FROM event ORDER BY owner_id, seq")
    waiting = "SELECT last - first + 1 AS events FROM unpublished ORDER BY at, last"
    stretches = [row["events"] for row in await desk.rows(waiting)]
    assert (len(stretches), sum(stretches)) == (3, len(written))
    await desk.store.log.published(await desk.store.log.unpublished(1))
    assert len(await desk.rows(waiting)) == 2
    await desk.store.log.published(await desk.store.log.unpublished(100))
    assert await desk.rows(waiting) == []
    assert await desk.rows("SELECT xmin, * FROM event ORDER BY owner_id, seq") == written


async def test_one_relay_works_at_a_time_and_another_takes_over(desk: Desk, other_desk: Desk) -> None:
    async with desk.store.log.relaying() as first, other_desk.store.log.relaying() as second:
        assert (first, second) == (True, False)
    dies = other_desk.store.log.relaying()
    assert await dies.__aenter__()
    await desk.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    async with asyncio.timeout(10):
        while not await relays(desk):
            await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await dies.__aexit__(None, None, None)


async def test_a_slow_broker_finds_the_relay_in_no_transaction(desk: Desk) -> None:
    """PostgreSQL would end it after ten seconds, and the broker may take fifteen."""
    async with desk.store.log.relaying() as mine:
        assert mine
        here = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert {row["state"] for row in await desk.rows(here)} == {"idle"}


async def test_a_relay_that_was_cancelled_leaves_neither_lock_nor_limit(desk: Desk, other_desk: Desk) -> None:
    relaying = asyncio.Event()

    async def hangs() -> None:
        async with desk.store.log.relaying():
            relaying.set()
            await asyncio.Event().wait()

    for _ in range(12):  # more often than there are connections
        relaying.clear()
        task = asyncio.create_task(hangs())
        await relaying.wait()
        assert not await relays(other_desk)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await relays(other_desk)
    async with desk.store._database.connection() as connection:
        [(limit,)] = await (await connection.execute("SHOW idle_session_timeout")).fetchall()
    assert limit == "0"


async def relays(desk: Desk) -> bool:
    async with desk.store.log.relaying() as mine:
        return mine


async def test_an_event_that_no_record_can_hold_holds_up_no_other(desk: Desk) -> None:
    await desk.handle(alerts("before"), alerts("huge", name="h" * 5000), alerts("after"))
    published: list[Outgoing] = []

    async def publish(records: Sequence[Outgoing]) -> None:
        for record in records:
            if len(record.value) > 5000:
                raise Unreadable("larger than a record may be")
            published.append(record)

    assert await relay.relay(desk.store.log, publish, "incident.events")
    assert {record.key for record in published} == {b"before", b"after"}
    assert await desk.store.log.unpublished(100) == []
