"""Real workers, kill -9: every record ends handled or in the dead letters. Stock Faust shows why the guard is there."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.records import Outgoing
from streams.producer import Producer
from streams.topics import WEEK, Topic, declare
from tests.streams.brokers import embedded_broker, until

ROOT = Path(__file__).parents[2]
SESSION = "2"
APACHE_SESSION = "6"  # it refuses less
RECORDS = 1200


class Workers:
    """Worker processes of one group, and what they wrote."""

    def __init__(self, kind: str, broker: str, topic: str, folder: Path, session: str = SESSION) -> None:
        worker = [sys.executable, "-m", "tests.streams.loss_worker"]
        self._command = [*worker, kind, broker, topic, topic, str(folder), session]
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        output = (self._folder / "output").open("ab")
        self._running.append(subprocess.Popen(self._command, cwd=ROOT, stdout=output, stderr=output))

    def kill(self) -> None:
        process = self._running.pop(0)
        process.kill()
        process.wait()

    def stop(self, within: float = 12.0) -> int:
        process = self._running.pop(0)
        process.terminate()
        return process.wait(within)

    async def handle_more(self) -> None:
        before = len(self.handled())
        await until(lambda: len(self.handled()) > before, within=30)

    def handled(self) -> list[tuple[int, int, str]]:
        lines = self._read("handled")
        return [(int(partition), int(offset), name) for partition, offset, name in map(str.split, lines)]

    def names(self) -> set[str]:
        return {name for _, _, name in self.handled()}

    def dead(self) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in self._read("dead"))

    def output(self) -> str:
        return "\n".join(self._read("output"))

    def end(self) -> None:
        while self._running:
            self.kill()

    def _read(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def workers(request: pytest.FixtureRequest, broker: str, unique: str, tmp_path: Path) -> Iterator[Workers]:
    session = APACHE_SESSION if "kafka" in request.node.callspec.id else SESSION
    started = Workers(getattr(request, "param", "guarded"), broker, unique, tmp_path, session)
    yield started
    started.end()


async def publish(broker: str, topic: str, names: list[str], partitions: int) -> None:
    await declare(broker, [Topic(topic, WEEK, partitions)])
    async with Producer(broker) as producer:
        await producer.publish([Outgoing(topic, name[-2:].encode(), name.encode()) for name in names])


def fates() -> list[str]:
    special = {100: "poison", 333: "slow", 334: "bug", 600: "flaky", 601: "poison", 900: "slow", 1100: "bug"}
    return [f"{special.get(number, 'plain')}-{number:04}" for number in range(RECORDS)]


async def test_kill_minus_9_at_any_moment_loses_nothing(broker: str, unique: str, workers: Workers) -> None:
    names = fates()
    await publish(broker, unique, names, partitions=4)
    hopeless = {name for name in names if name.startswith(("poison", "bug"))}
    moments = random.Random(606)

    workers.start()
    workers.start()
    for _ in range(3):
        await workers.handle_more()  # it is in the middle of something
        await asyncio.sleep(moments.uniform(0.0, 0.25))
        workers.kill()
        workers.start()
    await until(lambda: workers.names() | set(workers.dead()) == set(names), within=30)

    assert workers.names() == set(names) - hopeless
    assert set(workers.dead()) == hopeless
    assert workers.dead()["poison-0100"] == "not readable at all"
    assert workers.dead()["bug-0334"] == "ZeroDivisionError: bug-0334"
    assert workers.stop() == 0
    assert workers.stop() == 0


async def test_each_worker_handles_a_partition_in_order(broker: str, unique: str, workers: Workers) -> None:
    names = fates()
    await publish(broker, unique, names, partitions=2)
    workers.start()
    await until(lambda: len(workers.names() | set(workers.dead())) == len(names), within=20)
    assert workers.stop() == 0
    handled = workers.handled()
    assert len(handled) == len({(partition, offset) for partition, offset, _ in handled}), "nobody died: nothing twice"
    for partition in (0, 1):
        offsets = [offset for number, offset, _ in handled if number == partition]
        assert offsets == sorted(offsets)


async def test_a_clean_stop_commits_what_was_done(broker: str, unique: str, workers: Workers) -> None:
    await publish(broker, unique, ["plain-1", "plain-2"], partitions=1)
    workers.start()
    await until(lambda: len(workers.handled()) == 2)
    assert workers.stop() == 0
    await publish(broker, unique, ["plain-3"], partitions=1)
    workers.start()
    await until(lambda: "plain-3" in workers.names())
    assert [name for _, _, name in workers.handled()] == ["plain-1", "plain-2", "plain-3"]


@pytest.mark.parametrize(("workers", "lost"), [("stock", {"flaky-5"}), ("guarded", set())], indirect=["workers"])
async def test_a_fault_of_the_environment(broker: str, unique: str, workers: Workers, lost: set[str]) -> None:
    """Faust as it comes commits the event that its agent raised on: this is what the guard is for."""
    names = [f"plain-{number}" for number in range(5)] + ["flaky-5"] + [f"plain-{number}" for number in range(6, 10)]
    await publish(broker, unique, names, partitions=1)
    workers.start()
    await until(lambda: {"plain-9", *names} - lost <= workers.names())
    await asyncio.to_thread(workers.stop)
    workers.start()  # even a new process does not get it
    await publish(broker, unique, ["plain-last"], partitions=1)
    await until(lambda: "plain-last" in workers.names())
    assert set(names) - workers.names() == lost


async def test_a_broker_killed_under_running_workers_loses_nothing(unique: str, tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    names = [f"plain-{number:04}" for number in range(600)]
    with embedded_broker(tmp_path / "broker") as address:
        await publish(address, unique, names[:300], partitions=4)
        workers = Workers("guarded", address, unique, tmp_path)
        workers.start()
        workers.start()
        await until(lambda: len(workers.handled()) > 0)
    try:
        with embedded_broker(tmp_path / "broker", bind=address):
            await publish(address, unique, names[300:], partitions=4)
            await until(lambda: workers.names() == set(names), within=20)
            assert workers.stop() == 0
            assert workers.stop() == 0
    finally:
        workers.end()
