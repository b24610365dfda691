"""A worker process for the tests of loss: it appends what it handled to one file and its dead letters to another.

What a record is called decides its fate: `poison-…` is unreadable, `bug-…` meets a bug, `slow-…` takes half a second,
`flaky-…` meets a fault of the environment at its first try in each process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import faust

from models.records import Record, Unreadable
from streams.consume import attach
from streams.group import faust_app, run_app


class Books:
    def __init__(self, folder: Path) -> None:
        self._handled = os.open(folder / "handled", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._dead = os.open(folder / "dead", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._tried: set[str] = set()

    async def handle(self, records: Sequence[Record]) -> None:
        """A batch is written at its end in one go, like a transaction."""
        lines = []
        for record in records:
            name = (record.value or b"").decode()
            await asyncio.sleep(0.5 if name.startswith("slow") else 0.001)
            if name.startswith("poison"):
                raise Unreadable("not readable at all")
            if name.startswith("bug"):
                raise ZeroDivisionError(name)
            if name.startswith("flaky") and name not in self._tried:
                self._tried.add(name)
                raise ConnectionResetError(name)
            lines.append(f"{record.partition} {record.offset} {name}\n")
        os.write(self._handled, "".join(lines).encode())

    async def bury(self, record: Record, reason: str) -> None:
        os.write(self._dead, f"{(record.value or b'').decode()} {reason}\n".encode())


async def guarded(brokers: str, topic: str, group: str, folder: Path, session: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    books = Books(folder)
    app = faust_app(group, brokers, session_timeout=timedelta(seconds=session))
    attach(app, topic, books.handle, dead_letter=books.bury, transient=(OSError,))
    await run_app(app, stop)


async def stock(brokers: str, topic: str, group: str, folder: Path, session: float) -> None:
    """The same agent on Faust as it comes."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    books = Books(folder)
    app = faust.App(
        group,
        broker=f"kafka://{brokers}",
        datadir=str(folder),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_commit_interval=0.2,
        topic_disable_leader=True,
        stream_wait_empty=False,
        web_enabled=False,
    )

    @app.agent(app.topic(topic, value_type=bytes, value_serializer="raw"))
    async def agent(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            await books.handle([Record(topic, message.partition, message.offset, message.key, message.value)])

    await app.start()
    await stop.wait()
    await app.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    kind, brokers, topic, group, folder, session = sys.argv[1:]
    run = {"guarded": guarded, "stock": stock}[kind]
    asyncio.run(run(brokers, topic, group, Path(folder), float(session)))
