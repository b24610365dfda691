"""Faults of the environment: one line that says what to do, nothing half written, and on again when they are over."""

from __future__ import annotations

import pytest

from models.statuspage import Publication, UnpublishedError
from models.store.errors import Unavailable
from models.store.rows import IncidentFilter
from models.store.store import Store
from tests.store.desk import T0, Desk, alerts

ANYTHING = IncidentFilter()


@pytest.mark.parametrize(
    "url",
    ["postgresql://t:secret@127.0.0.1:1/x", "postgresql://t:secret@no.such.host.invalid/x", "mysql://t:secret@h/x"],
)
async def test_an_unreachable_database_is_said_in_one_line(url: str) -> None:
    with pytest.raises(Unavailable, match="TOCSIN_DATABASE_URL") as refused:
        await Store.open(url)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_a_database_without_tables_is_told_from_one_that_is_away(empty_database_url: str) -> None:
    store = await Store.open(empty_database_url)
    desk = Desk(store, empty_database_url)
    with pytest.raises(Unavailable, match="run `tocsin migrate`"):
        await desk.handle(alerts())
    with pytest.raises(Unavailable, match="run `tocsin migrate`"):
        await store.reads.incidents(ANYTHING, None, 10)
    await store.close()


async def test_after_every_session_was_ended_the_next_batch_but_one_succeeds(desk: Desk) -> None:
    await desk.handle(alerts("before"))
    await desk.store.reads.figures()
    await desk.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    signal = alerts("after")
    with pytest.raises(Unavailable):
        await desk.handle(signal)
    await desk.handle(signal)
    assert len(await desk.store.reads.incidents(ANYTHING, None, 10)) == 2


async def test_a_batch_that_ends_in_mid_transaction_left_nothing(desk: Desk) -> None:
    signal = alerts()
    with pytest.raises(Unavailable):  # noqa: PT012 (the session ends between two steps)
        async with desk.store.incidents() as transaction:
            await transaction.begin([(signal.id, signal.kind, signal.key)])
            await desk.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                " AND datname = current_database()"
            )
            await transaction.numbers(1, T0)
    assert await desk.value("SELECT count(*) FROM inbox") == 0
    await desk.handle(signal)
    assert await desk.value("SELECT count(*) FROM incident") == 1


async def test_a_status_page_that_cannot_be_written_says_so(empty_database_url: str) -> None:
    store = await Store.open(empty_database_url)
    with pytest.raises(UnpublishedError):
        await store.publish(Publication(*[None] * len(Publication.__dataclass_fields__)))  # type: ignore[arg-type]
    await store.close()
