"""The heartbeat: the watchdog outside is called only while the whole path works."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

import pytest
from aiohttp import web

from agents.triage import probe_signal_id
from models.records import Outgoing, Record
from models.store.rows import Figures, Handled
from models.webhook_record import read_stamp
from streams.clock import utc_now
from streams.heartbeat import LONGEST_WAIT, PathBroken, beat, watchdog


class Path:
    """Broker, worker and store as the heartbeat sees them."""

    def __init__(self) -> None:
        self.works = True
        self.page_waits = self.deadline_waits = 0.0
        self.keys: set[bytes] = set()
        self.arrived: set[uuid.UUID] = set()
        self.calls = 0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for out in records if self.works else ():
            stamp = read_stamp(Record(out.topic, 0, 0, out.key, out.value, out.headers))
            assert stamp.probe
            self.keys.add(out.key)
            self.arrived.add(probe_signal_id(stamp.webhook_id))

    async def handled(self, signal_id: uuid.UUID) -> Handled | None:
        return Handled(changed=False) if signal_id in self.arrived else None

    async def figures(self) -> Figures:
        return Figures(oldest_pending_page_seconds=self.page_waits, oldest_due_deadline_seconds=self.deadline_waits)

    async def call(self) -> None:
        self.calls += 1


async def test_the_watchdog_is_called_once_the_probe_has_arrived() -> None:
    path = Path()
    await beat(path.publish, path, utc_now, path.call)
    assert path.calls == 1


async def test_a_probe_that_nobody_handles_withholds_the_call() -> None:
    path = Path()
    path.works = False
    with pytest.raises(PathBroken, match="no worker handled it"):
        await beat(path.publish, path, utc_now, path.call, within=0.05)
    assert path.calls == 0


async def test_a_page_that_waits_too_long_withholds_the_call() -> None:
    path = Path()
    path.page_waits = LONGEST_WAIT + 1
    with pytest.raises(PathBroken, match="a page has been waiting for 121 s"):
        await beat(path.publish, path, utc_now, path.call)


async def test_a_deadline_that_does_not_fire_withholds_the_call() -> None:
    path = Path()
    path.deadline_waits = LONGEST_WAIT + 1
    with pytest.raises(PathBroken, match="a deadline has been due for 121 s"):
        await beat(path.publish, path, utc_now, path.call)


async def test_no_probe_goes_the_way_of_the_one_before() -> None:
    """The partition follows from the key; always the same one would show the health of one worker only."""
    path = Path()
    for _ in range(3):
        await beat(path.publish, path, utc_now, path.call)
    assert len(path.keys) == 3


@pytest.mark.parametrize("status", [200, 500])
async def test_the_call_and_its_refusal(status: int) -> None:
    called = asyncio.Event()

    async def take(_: web.Request) -> web.Response:
        called.set()
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/ping/secret", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    call = watchdog(f"http://127.0.0.1:{runner.addresses[0][1]}/ping/secret", None)
    try:
        if status == 200:
            await call()
        else:
            with pytest.raises(PathBroken, match="answered 500") as caught:
                await call()
            assert "secret" not in str(caught.value)
        assert called.is_set()
    finally:
        await runner.cleanup()


async def test_a_watchdog_that_is_away_is_said_without_its_address() -> None:
    with pytest.raises(PathBroken) as caught:
        await watchdog("http://127.0.0.1:9/secret", None)()
    assert "secret" not in str(caught.value)
