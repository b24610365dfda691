"""The processes: `python -m streams.serve broker|database|migrate|web|worker`. What `tocsin up` starts, each on its
own as well.

Reads the settings, opens what the process needs and runs it until it is told to stop; every fault becomes one line.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

import psycopg
from aiokafka.errors import KafkaError

from models.store import migrations
from models.store.errors import StoreError
from streams import logs, topics
from streams.embedded.broker import BrokerError, serve_broker
from streams.embedded.database import serve_database
from streams.endpoints import find
from streams.places import Failed, Unusable, private_folder
from streams.processes import Supervised, run_child
from streams.settings import Settings, SettingsError, read_settings
from streams.web_process import serve
from streams.worker import work

LOOPBACK: Final = "127.0.0.1"


async def broker(settings: Settings, self: Supervised, port: int = 0) -> None:
    """The embedded broker."""
    folder = private_folder(settings.data_dir / "broker")
    await serve_broker(folder, LOOPBACK, port, lambda bound: self.ready(f"{LOOPBACK}:{bound}"), self.stop)


async def database(settings: Settings, self: Supervised, port: int = 0) -> None:
    """The embedded PostgreSQL."""
    await serve_database(settings.data_dir, LOOPBACK, port, self.ready, self.stop)


async def migration(settings: Settings, self: Supervised, _: int = 0) -> None:
    """Brings the database's schema up to date and declares the topics; ends."""
    await asyncio.to_thread(migrations.upgrade, database_url(settings))
    for line in await topics.declare(brokers(settings)):
        sys.stderr.write(f"{line}\n")
    self.ready("")


async def web(settings: Settings, self: Supervised, _: int = 0) -> None:
    """Receiver, API, status page."""
    await serve(settings, brokers(settings), database_url(settings), self.ready, self.stop)


async def worker(settings: Settings, self: Supervised, _: int = 0) -> None:
    """The agents."""
    await work(settings, brokers(settings), database_url(settings), lambda: self.ready(""), self.stop)


PROCESSES: Final[Mapping[str, Callable[[Settings, Supervised, int], Coroutine[object, object, None]]]] = {
    "broker": broker,
    "database": database,
    "migrate": migration,
    "web": web,
    "worker": worker,
}


def brokers(settings: Settings) -> str:
    """Where Kafka answers: as configured, else the embedded broker of an `up` that runs. Raises Unusable."""
    found = settings.kafka or find(settings.data_dir, "broker")
    if found is None:
        raise Unusable("no broker: start `tocsin up`, or set TOCSIN_KAFKA to HOST:PORT")
    return found


def database_url(settings: Settings) -> str:
    """Where PostgreSQL answers: as configured, else the embedded one of an `up` that runs. Raises Unusable."""
    configured = settings.database_url
    found = configured.get_secret_value() if configured else find(settings.data_dir, "database")
    if found is None:
        raise Unusable("no database: start `tocsin up`, or set TOCSIN_DATABASE_URL to postgresql://…")
    return found


_BEYOND_US = (SettingsError, BrokerError)
"""Starting again will not help before a person acts."""
_PASSING = (StoreError, psycopg.OperationalError, KafkaError, OSError)


def run(name: str, port: int = 0) -> int:
    """Runs one process to its end and returns its exit code."""
    logs.configure()

    async def main(self: Supervised) -> None:
        try:
            await PROCESSES[name](read_settings(), self, port)
        except (*_BEYOND_US, *_PASSING, ExceptionGroup) as error:
            fault = _first(error)
            if isinstance(fault, _BEYOND_US):
                raise Unusable(str(fault)) from None
            if isinstance(fault, _PASSING):
                raise Failed(str(fault) or type(fault).__name__) from None
            raise

    return run_child(main)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
