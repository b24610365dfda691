"""A throw-away PostgreSQL for tests: TOCSIN_TEST_DATABASE_URL where it is set, else the embedded one.

Each test finds the tables empty. Durability is off: nothing here outlives the run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from models.store.migrations import upgrade
from models.store.tables import SCHEMA
from streams.embedded.database import serve_database
from streams.places import Failed

_ALONE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server on which databases may be made."""
    given = os.environ.get("TOCSIN_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with running() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> Iterator[str]:
    """A migrated database for all tests of the run, one after the other."""
    with database(postgres_url, f"t_{uuid.uuid4().hex[:12]}") as url:
        upgrade(url)
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """A migrated database without a row in it, and without anybody left over from the test before."""
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(_ALONE)
        tables = sql.SQL(", ").join(sql.Identifier(table.name) for table in SCHEMA.sorted_tables)
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
    return migrated_url


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table."""
    with database(postgres_url, f"t_{uuid.uuid4().hex[:12]}") as url:
        yield url


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """A database of that name on the server, while it is needed."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running() -> Iterator[str]:
    """The embedded PostgreSQL as `tocsin up` starts it (as root, from a folder that only root can enter), made fast."""
    with tempfile.TemporaryDirectory(prefix="tocsin-test-") as folder:
        served: Future[str] = Future()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        def serve() -> None:
            try:
                loop.run_until_complete(
                    serve_database(Path(folder), "127.0.0.1", _free_port(), served.set_result, stop)
                )
            except Failed as error:
                served.set_exception(error)
            finally:
                loop.close()

        thread = threading.Thread(target=serve, name="postgres")
        thread.start()
        try:
            url = served.result(60)
            _hurry(url)
            yield url
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(stop.set)
            thread.join(30)


def _hurry(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
