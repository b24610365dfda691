"""`python -m tests.bench.floor up|broker|database|prepare|receiver|worker`: the floor's processes.

They run under the supervisor that `tocsin up` has.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import uvloop

from streams.child import Child
from streams.embedded.broker import serve_broker
from streams.embedded.database import serve_database
from streams.endpoints import kept_port
from streams.places import private_folder
from streams.processes import supervised
from streams.supervisor import supervise
from streams.topics import declare
from tests.bench.floor.receiver import receive
from tests.bench.floor.tables import SCHEMA
from tests.bench.floor.topics import TOPICS
from tests.bench.floor.worker import work

LOOPBACK = "127.0.0.1"


def plan(data_dir: Path) -> Iterator[Child]:
    """As many processes as `tocsin up` starts."""
    for name, provides in (("broker", "TOCSIN_KAFKA"), ("database", "TOCSIN_DATABASE_URL")):
        yield Child(name=name, argv=[*_argv(name), str(kept_port(data_dir, name))], provides=provides)
    yield Child(name="prepare", argv=_argv("prepare"), after=["broker", "database"], once=True)
    yield Child(name="worker", argv=_argv("worker"), after=["prepare"])
    yield Child(name="receiver", argv=_argv("receiver"), after=["prepare"])


def _argv(name: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.floor", name]


async def serve(name: str, port: int) -> None:
    """One child, until it is told to stop."""
    brokers, database = os.environ.get("TOCSIN_KAFKA", ""), os.environ.get("TOCSIN_DATABASE_URL", "")
    async with supervised() as self:
        match name:
            case "broker":
                folder = private_folder(_data_dir() / "broker")
                await serve_broker(folder, LOOPBACK, port, lambda _: self.ready(f"{LOOPBACK}:{port}"), self.stop)
            case "database":
                await serve_database(_data_dir(), LOOPBACK, port, self.ready, self.stop)
            case "receiver":
                await receive(brokers, self.ready, self.stop)
            case "worker":
                await work(brokers, database, os.environ["FLOOR_PEER"], lambda: self.ready(""), self.stop)
            case _:
                async with await psycopg.AsyncConnection.connect(database) as connection:
                    await connection.execute(SCHEMA)
                await declare(brokers, TOPICS)


async def up() -> int:
    async def planned() -> list[Child]:
        return list(plan(_data_dir()))

    return await supervise(planned, _data_dir())


def _data_dir() -> Path:
    return Path(os.environ["TOCSIN_DATA_DIR"])


def main(name: str, port: int = 0) -> int:
    if name == "up":
        return asyncio.run(up())
    uvloop.run(serve(name, port))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
