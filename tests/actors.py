"""Real processes for the supervisor's tests: `python -m tests.actors up PLAN DATA_DIR` and the children of a plan."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from streams.child import Child, Restarts
from streams.embedded.database import serve_database
from streams.endpoints import kept_port
from streams.places import Unusable
from streams.processes import Supervised, report_ready, run_child
from streams.supervisor import supervise

QUICK = Restarts(limit=4, first=timedelta(milliseconds=10), longest=timedelta(milliseconds=20))


def actor(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.actors", *words)


def a_house(data_dir: Path) -> Sequence[Child]:
    """A server, a task that needs it, and a client that needs both."""
    port = str(kept_port(data_dir, "server"))
    return (
        Child(name="server", argv=actor("server", port), provides="TEST_SERVER"),
        Child(name="task", argv=actor("task"), after=("server",), once=True),
        Child(name="client", argv=actor("client"), after=("task",)),
    )


def a_database(data_dir: Path) -> Sequence[Child]:
    port = str(kept_port(data_dir, "database"))
    return (Child(name="database", argv=actor("database", str(data_dir), port), provides="TEST_DATABASE"),)


def one(name: str, stop_within: timedelta = timedelta(seconds=0.5)) -> Callable[[Path], Sequence[Child]]:
    return lambda _: (Child(name=name, argv=actor(name), restarts=QUICK, stop_within=stop_within),)


PLANS: dict[str, Callable[[Path], Sequence[Child]]] = {
    "house": a_house,
    "database": a_database,
    "patient": one("deaf", timedelta(minutes=1)),
    **{name: one(name) for name in ("crashing", "refusing", "deaf")},
}


async def up(plan: str, data_dir: Path) -> int:
    async def planned() -> Sequence[Child]:
        return PLANS[plan](data_dir)

    return await supervise(planned, data_dir)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def server(self: Supervised) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", int(sys.argv[2])):
        self.ready(f"127.0.0.1:{sys.argv[2]}")
        await self.stop.wait()
    say("stopped")


async def client(self: Supervised) -> None:
    say(f"pid {os.getpid()} server {os.environ['TEST_SERVER']}")
    self.ready("here")
    await self.stop.wait()
    say("stopped")


async def database(self: Supervised) -> None:
    await serve_database(Path(sys.argv[2]), "127.0.0.1", int(sys.argv[3]), self.ready, self.stop)


async def refusing(_: Supervised) -> None:
    raise Unusable("the moon is in use: choose another")


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report_ready()
    time.sleep(600)


def main() -> int:
    match sys.argv[1]:
        case "up":
            return asyncio.run(up(sys.argv[2], Path(sys.argv[3])))
        case "deaf":
            deaf()
        case "task":
            say("done")
        case "crashing":
            return 7
        case name:
            return run_child({"server": server, "client": client, "database": database, "refusing": refusing}[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
