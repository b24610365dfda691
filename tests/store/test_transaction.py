"""The one transaction: redelivery, zombies, races for a new key, numbers, and input that PostgreSQL cannot hold."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import cast

import pytest

from models import incident
from models.deliveries import Provider
from models.events import Event
from models.evolution import evolve
from models.records import Unreadable
from models.severity import Severity
from models.state import Incident
from models.step import Step
from models.store.errors import Conflict, Unavailable
from tests.store.desk import POLICY, Desk, alerts, step_of


async def test_an_incident_is_written_whole(desk: Desk) -> None:
    await desk.handle(alerts())
    row = await desk.one("SELECT * FROM incident")
    assert (row["status"], row["severity"], row["generation"]) == ("triggered", "SEV1", 1)
    assert await desk.kinds(row["id"]) == ["incident_opened", "alerts_joined", "level_paged"]
    assert {one["name"] for one in await desk.rows("SELECT name FROM deadline")} == {"acknowledge", "stale"}
    kinds = [one["kind"] for one in await desk.rows("SELECT kind FROM delivery ORDER BY seq")]
    assert kinds == ["channel", "announcement", "initial_report", "publication", "page"]
    assert await desk.value("SELECT changed FROM inbox")
    assert desk.woken == {Provider.PAGERDUTY, Provider.SLACK, Provider.STATUSPAGE}


async def test_a_batch_delivered_again_changes_nothing(desk: Desk) -> None:
    batch = [alerts(f"key-{number}") for number in range(20)]
    batch += [alerts("key-3", name="another"), alerts("key-4", status="resolved"), alerts("key-5", status="resolved")]
    await desk.handle(*batch)
    before = await desk.everything()
    await desk.handle(*batch)
    await desk.handle(*reversed(batch))
    assert await desk.everything() == before


async def test_one_signal_twice_in_a_batch_counts_once(desk: Desk) -> None:
    signal = alerts()
    await desk.handle(signal, signal)
    assert await desk.value("SELECT count(*) FROM event") == 3


async def test_folding_the_log_gives_the_state(desk: Desk) -> None:
    await desk.handle(alerts("a"), alerts("b"), alerts("a", name="more"))
    await desk.acknowledge("a")
    await desk.handle(alerts("b", status="resolved"), alerts("a", status="resolved"))
    for key in ("a", "b"):
        incident_id = await desk.incident_id(key)
        log = await desk.store.reads.timeline(incident_id)
        folded = reduce(lambda state, entry: evolve(state, cast("Event", entry.event), entry.at), log, None)
        assert folded == await desk.store.reads.incident_by_id(incident_id)


async def test_two_workers_that_open_one_key_make_one_incident(desk: Desk, other_desk: Desk) -> None:
    async def until_handled(worker: Desk, name: str) -> None:
        signal = alerts("contended", name=name)
        while True:
            try:
                return await worker.handle(signal)
            except Conflict:
                continue

    await asyncio.gather(*(until_handled(worker, f"n{turn}") for turn in range(4) for worker in (desk, other_desk)))
    assert await desk.value("SELECT count(*) FROM incident") == 1
    assert await desk.value("SELECT count(*) FROM delivery WHERE kind = 'page'") == 1
    assert await desk.value("SELECT count(*) FROM event WHERE kind = 'alerts_joined'") == 4


async def test_a_new_generation_that_opens_meanwhile_is_a_conflict(desk: Desk, other_desk: Desk) -> None:
    await desk.handle(alerts(), alerts(status="resolved"))
    await desk.rows("UPDATE incident SET state = jsonb_set(state::jsonb, '{reopen_until}', '\"2020-01-01T00:00:00Z\"')")
    async with desk.store.incidents() as transaction:
        late = alerts(name="late")
        loaded = await transaction.begin([(late.id, late.kind, late.key)])
        assert loaded.states[late.key].generation == 1
        racing = asyncio.create_task(only_begin(other_desk))
        await blocked(desk)
        events = incident.decide(loaded.states[late.key], late, POLICY, loaded.now)
        [number] = await transaction.numbers(1, loaded.now)
        await transaction.save([step_of(loaded.states[late.key], late, events, loaded.now, number)])
    with pytest.raises(Conflict, match="opened an incident of the same key"):
        await racing
    assert [row["generation"] for row in await desk.rows("SELECT generation FROM incident ORDER BY 1")] == [1, 2]


async def test_a_step_that_closes_one_generation_and_opens_the_next_writes_both(desk: Desk) -> None:
    await desk.handle(alerts(name="first"), alerts(name="second"))
    await desk.resolve("shop/checkout")
    await desk.rows("UPDATE incident SET state = jsonb_set(state::jsonb, '{reopen_until}', '\"2020-01-01T00:00:00Z\"')")
    new, gone = alerts(name="third"), alerts(name="first", status="resolved")
    both = replace(new, alerts=(*new.alerts, *gone.alerts))
    await desk.handle(both)
    old, young = await desk.rows(
        "SELECT id, seq, generation, state->'alerts'->>'muted' AS muted FROM incident ORDER BY generation"
    )
    assert (await desk.kinds(old["id"]))[-1] == "alerts_resolved"
    assert "first" not in old["muted"]
    assert "second" in old["muted"]
    assert (await desk.kinds(young["id"]))[0] == "incident_opened"


@pytest.mark.parametrize("log", ["kept", "archived"])
async def test_a_zombie_writes_nothing(desk: Desk, log: str) -> None:
    await desk.handle(alerts(severity=Severity.SEV4))
    stale = await desk.store.reads.incident_by_id(await desk.incident_id("shop/checkout"))
    await desk.acknowledge("shop/checkout")
    if log == "archived":  # so that nothing but the fence is in the way
        await desk.rows("DELETE FROM event")
    before = await desk.everything()
    signal = alerts(name="unseen by others", severity=Severity.SEV4)
    events = incident.decide(stale, signal, POLICY, datetime.now(UTC))
    with pytest.raises(Conflict, match="another worker"):
        await save_blindly(desk, step_of(stale, signal, events, datetime.now(UTC)))
    assert await desk.everything() == before


async def test_a_paused_worker_loses_its_locks_and_everything_it_began(desk: Desk, other_desk: Desk) -> None:
    await desk.handle(alerts())
    signal = alerts(name="held")
    with pytest.raises(Unavailable):  # noqa: PT012 (which step meets the end of the session is open)
        async with desk.store.incidents() as transaction:
            await transaction._session.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
            loaded = await transaction.begin([(signal.id, signal.kind, signal.key)])
            await other_desk.handle(alerts(name="goes on"))  # waits for the lock until the session is ended
            events = incident.decide(loaded.states[signal.key], signal, POLICY, loaded.now)
            await transaction.save([step_of(loaded.states[signal.key], signal, events, loaded.now)])
    await desk.handle(signal)
    assert await desk.value("SELECT count(*) FROM event WHERE kind = 'alerts_joined'") == 3


async def test_workers_over_the_same_keys_in_any_order_never_wait_in_a_ring(desk: Desk, other_desk: Desk) -> None:
    keys = [f"k{number}" for number in range(30)]
    await desk.handle(*(alerts(key) for key in keys))
    turns = [
        worker.handle(*(alerts(key, name=f"{key}/{turn}") for key in order))
        for turn in range(6)
        for worker, order in ((desk, keys), (other_desk, keys[::-1]))
    ]
    await asyncio.gather(*turns)
    assert await desk.value("SELECT count(*) FROM event WHERE kind = 'alerts_joined'") == 30 * 7


async def test_numbers_are_unique_across_workers_and_grow_past_999(desk: Desk, other_desk: Desk) -> None:
    await asyncio.gather(
        *(
            worker.handle(*(alerts(f"{turn}-{place}-{index}") for index in range(15)))
            for turn in range(4)
            for place, worker in enumerate((desk, other_desk))
        )
    )
    numbers = [row["number"] for row in await desk.rows("SELECT number FROM incident ORDER BY number")]
    assert [number[-3:] for number in numbers] == [f"{count:03d}" for count in range(1, 121)]
    now = datetime(2030, 11, 21, 23, 59, tzinfo=UTC)
    async with desk.store.incidents() as transaction:
        await transaction.begin([])
        assert (await transaction.numbers(1, now)) == ["INC-2030-1121-001"]
        assert (await transaction.numbers(1000, now))[-2:] == ["INC-2030-1121-1000", "INC-2030-1121-1001"]


@pytest.mark.parametrize(
    "key", ["nul\x00key", "x" * 5000, "é" * 5000, "back\\u0000slash", "'; DROP TABLE incident; --"]
)
async def test_no_key_or_text_can_poison_the_batch(desk: Desk, key: str) -> None:
    healthy = alerts("healthy")
    odd = alerts(key, name=f"{key}\x00\\u0000", title=key, summary="\x00", service=key, group=key, links={key: key})
    await desk.handle(healthy, odd)
    await desk.handle(alerts(key, name="again"), alerts("healthy", name="again"))
    assert await desk.value("SELECT count(*) FROM incident") == 2
    assert await desk.value("SELECT count(*) FROM event WHERE kind = 'alerts_joined'") == 4
    await desk.store.remember_groups([(key, key)])
    [reached] = (await desk.store.keys_of_groups([key]))[key]
    assert reached == key.replace("\x00", "\ufffd")


async def test_what_the_database_will_never_take_is_unreadable_and_leaves_nothing(desk: Desk) -> None:
    signal = alerts()
    events = incident.decide(None, signal, POLICY, datetime.now(UTC))
    step = step_of(None, signal, events, datetime.now(UTC), "INC-1")
    assert isinstance(step.after, Incident)
    with pytest.raises(Unreadable, match="the database refuses it"):
        await save_blindly(desk, replace(step, after=replace(step.after, generation=2**40)))
    assert await desk.value("SELECT count(*) FROM event") == 0


async def only_begin(desk: Desk) -> None:
    signal = alerts(name="racing")
    async with desk.store.incidents() as transaction:
        await transaction.begin([(signal.id, signal.kind, signal.key)])


async def save_blindly(desk: Desk, step: Step[Incident]) -> None:
    async with desk.store.incidents() as transaction:
        await transaction.begin([(step.signal_id, "alerts_reported", "nobody has this key")])
        await transaction.save([step])


async def blocked(desk: Desk) -> None:
    """Returns once some session waits for a lock."""
    async with asyncio.timeout(10):
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not await desk.value(waiting):
            await asyncio.sleep(0.01)


async def test_a_batch_larger_than_any_buffer_is_written(desk: Desk) -> None:
    """psycopg's pipeline would wait for an answer to what it has not sent to its end."""
    async with asyncio.timeout(30):
        for number in range(5):
            key = f"{number}" + "k" * 1_000_000
            await desk.handle(alerts(key, name="n" * 1_000_000))
    assert await desk.value("SELECT count(*) FROM incident") == 5


async def test_two_spellings_of_a_key_are_one_incident(desk: Desk) -> None:
    """The database gives a NUL back as U+FFFD, in the keys of deadlines and deliveries too."""
    async with asyncio.timeout(10):
        await desk.handle(alerts("a\0b"), alerts("a\ufffdb", name="more"))
        await desk.handle(alerts("a\ufffdb", name="third"), alerts("a\0b", name="fourth"))
    assert await desk.value("SELECT count(*) FROM incident") == 1


async def test_two_spellings_of_a_key_in_one_batch_are_refused_to_be_split(desk: Desk) -> None:
    """Each would be decided on the state without the other."""
    told = [(uuid.uuid4(), "alerts_reported", key) for key in ("a\0b", "a\ufffdb")]
    with pytest.raises(Unreadable, match="two spellings"):
        async with desk.store.incidents() as incidents:
            await incidents.begin(told)
    owner = uuid.uuid4()
    told = [(uuid.uuid4(), "postmortem_withdrawn", key) for key in (str(owner), str(owner).upper())]
    with pytest.raises(Unreadable, match="two spellings"):
        async with desk.store.reviews() as reviews:
            await reviews.begin(told)
    assert await desk.value("SELECT count(*) FROM inbox") == 0


async def test_a_relay_that_waited_too_long_for_the_broker_tries_again(desk: Desk) -> None:
    """PostgreSQL has ended the session, which psycopg tells as an error of the program."""

    async def wait() -> None:
        async with desk.store._database.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
            async with asyncio.timeout(20):
                while await desk.rows("SELECT pid FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid):
                    await asyncio.sleep(0.02)

    with pytest.raises((Conflict, Unavailable)):
        await wait()
