"""The two systems: each as the processes that its supervisor starts, on a data directory of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from streams import endpoints, topics
from streams.embedded.database import serve_database
from tests.bench.floor.topics import DEADLINES
from tests.bench.http import Connection
from tests.peers.process import Process, free_ports

POLICY = Path(__file__).with_name("policy.yaml")
_UP_WITHIN = 90.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the two. `door` names the process that takes webhooks; the SQL is for the deadlines."""

    name: str
    command: Sequence[str]
    door: str
    fill: str
    """So many deadlines more, none of them due for a month."""
    make_due: str
    """So many acknowledgement clocks, all due at one instant two seconds from now; their ids, and that instant."""
    due_topic: str
    """Where what came due is handed on, to whoever decides what that means; JSON with the deadline's id."""


ENDED_LATE = """
    SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at) * 1000
    FROM deadline WHERE id = ANY(%s) AND status = 'fired'"""
"""Of those with the given ids that fired: milliseconds until that was durable."""
OURS = Kind(
    name="ours",
    command=("-m", "streams.cli", "up"),
    door="web",
    fill="""
        INSERT INTO deadline (id, owner_id, topic, key, name, due_at, status, next_at)
        SELECT gen_random_uuid(), gen_random_uuid(), 'incident.signals', 'bench/' || n, 'stale', at, 'pending', at
        FROM generate_series(1, %s) n, LATERAL (SELECT now() + interval '30 days' + n * interval '1 s') AS due (at)""",
    make_due="""
        UPDATE deadline SET due_at = now() + interval '2 s', next_at = now() + interval '2 s' WHERE id IN (
            SELECT id FROM deadline WHERE name = 'acknowledge' AND status = 'pending' LIMIT %s
        ) RETURNING id, extract(epoch FROM due_at)""",
    due_topic=topics.SIGNALS,
)
FLOOR = Kind(
    name="floor",
    command=("-m", "tests.bench.floor", "up"),
    door="receiver",
    fill="""
        INSERT INTO deadline (key, name, due_at)
        SELECT 'bench/' || n, 'stale', now() + interval '30 days' + n * interval '1 s' FROM generate_series(1, %s) n""",
    make_due="""
        UPDATE deadline SET due_at = now() + interval '2 s' WHERE id IN (
            SELECT id FROM deadline WHERE name = 'acknowledge' AND status = 'pending' LIMIT %s
        ) RETURNING id, extract(epoch FROM due_at)""",
    due_topic=DEADLINES,
)


@dataclass(frozen=True, slots=True)
class System:
    """One that runs. `pid` is the root of its processes."""

    kind: Kind
    address: str
    database: str
    brokers: str
    pid: int
    peer: str


@contextlib.asynccontextmanager
async def peer(folder: Path) -> AsyncIterator[str]:
    """PagerDuty's stand-in; its address."""
    port = free_ports(1)[0]
    process = Process([sys.executable, "-m", "tests.bench.peer", str(port)], folder / "peer.log")
    try:
        address = f"http://127.0.0.1:{port}"
        await _until_answers(process, address)
        yield address
    finally:
        process.stop()


@contextlib.asynccontextmanager
async def running(kind: Kind, folder: Path, peer_address: str) -> AsyncIterator[System]:
    """Starts it and waits until it takes webhooks; ends it, and all it started, at the end."""
    data_dir = folder / kind.name
    await _remember_commit_times(data_dir)
    process = Process(
        ["env", *_environment(data_dir, peer_address), sys.executable, *kind.command], folder / f"{kind.name}.log"
    )
    try:
        address = await _published(process, data_dir, kind.door)
        database = await _published(process, data_dir, "database")
        await _published(process, data_dir, "worker", may_be_empty=True)
        brokers = await _published(process, data_dir, "broker")
        yield System(kind, address, database, brokers, process.pid, peer_address)
    finally:
        process.stop()


def _environment(data_dir: Path, peer_address: str) -> list[str]:
    """Arguments of env(1): nothing of the caller's own configuration, and the bench's instead."""
    mine: Mapping[str, str] = {
        "TOCSIN_DATA_DIR": str(data_dir),
        "TOCSIN_WEB_BIND": "127.0.0.1:0",
        "TOCSIN_POLICY": str(POLICY),
        "TOCSIN_PAGERDUTY_EVENTS_URL": peer_address,
        "TOCSIN_PAGERDUTY_ROUTING_KEY": "0" * 32,
        "FLOOR_PEER": peer_address,
    }
    unset = [part for name in os.environ if name.startswith("TOCSIN_") and name not in mine for part in ("-u", name)]
    return [*unset, *(f"{name}={value}" for name, value in mine.items())]


async def _remember_commit_times(data_dir: Path) -> None:
    """So that PostgreSQL itself says when a row became durable: `now()` in a row is when its transaction began."""
    stop = asyncio.Event()

    def ready(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        stop.set()

    await serve_database(data_dir, "127.0.0.1", free_ports(1)[0], ready, stop)


async def _published(process: Process, data_dir: Path, name: str, *, may_be_empty: bool = False) -> str:
    until = time.monotonic() + _UP_WITHIN
    while True:
        found = endpoints.find(data_dir, name)
        if found or (may_be_empty and found is not None):
            return found
        _check(process, until, name)
        await asyncio.sleep(0.05)


async def _until_answers(process: Process, address: str) -> None:
    until = time.monotonic() + _UP_WITHIN
    while True:
        try:
            (await Connection.to(address)).close()
        except OSError:
            _check(process, until, address)
            await asyncio.sleep(0.05)
        else:
            return


def _check(process: Process, until: float, what: str) -> None:
    if process.has_ended() or time.monotonic() > until:
        raise RuntimeError(f"{what} did not come up:\n{process.last_words()}")
