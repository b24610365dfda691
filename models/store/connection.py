"""Connections: a psycopg pool for the event path, an SQLAlchemy engine for reads. Owns session settings, time limits.

Every session speaks UTC. A worker that was paused in mid-transaction loses its locks after ten seconds, so that its
incidents can be taken over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncPipeline, conninfo
from psycopg.generators import send
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from models.store.errors import Unavailable, translated, unavailable

Connection = AsyncConnection[TupleRow]
Cursor = AsyncCursor[TupleRow]

_CONNECT_WITHIN = 5
_SETTINGS = {
    "timezone": "UTC",
    "application_name": "tocsin",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
}
_EVENT_PATH = {**_SETTINGS, "enable_seqscan": "off", "jit": "off", "plan_cache_mode": "force_generic_plan"}
"""Queues are empty whenever the planner looks, and long when it matters: their indexes are always the better way. Where
there is none PostgreSQL before 18 takes the statement for so dear that it compiles it, for 0.1 s each time. To plan
anew for every batch was a fifth of what the database did; docs/decisions/0042.
"""
_SET = "SELECT " + ", ".join("set_config(%s, %s, false)" for _ in _EVENT_PATH)


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction in pipeline mode."""

    connection: Connection
    pipeline: AsyncPipeline

    async def execute(self, query: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Sends a statement along; its result is there after `settle`."""
        return await self.connection.execute(query, parameters)

    async def settle(self) -> None:
        """Waits for all that was sent. Raises what the first failing statement met.

        Only after it does the server count us as idle in a transaction, and ends us where we sleep on its locks.
        """
        await self.flush()
        await self.pipeline.sync()

    async def flush(self) -> None:
        """Makes the server take all that was sent. What is larger than the socket's buffer must be flushed before
        anything waits for an answer: to a message of which libpq still holds the end (psycopg 3.3) none comes, ever.
        """
        await self.connection.wait(send(self.connection.pgconn))


class Database:
    """The open connections of one process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = place_of(url)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=10,
            open=False,
            timeout=_CONNECT_WITHIN,
            configure=_configure,
            kwargs=_CONNECT,
        )
        self.engine: AsyncEngine = create_async_engine(
            engine_url(url),
            pool_size=4,
            max_overflow=4,
            pool_timeout=_CONNECT_WITHIN,
            pool_pre_ping=True,
            connect_args={**_CONNECT, "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())},
        )

    async def open(self) -> None:
        """Connects once to find out whether it can. Raises Unavailable."""
        connection = await self.connect()
        await connection.close()
        await self._pool.open()

    async def close(self) -> None:
        """Gives every connection back."""
        await self._pool.close()
        await self.engine.dispose()

    async def connect(self) -> Connection:
        """A connection of its own (for LISTEN), in autocommit. Raises Unavailable."""
        try:
            connection = await AsyncConnection.connect(self.url, **_CONNECT)
            await _configure(connection)
        except (psycopg.OperationalError, OSError) as error:
            raise Unavailable(unavailable(self.place, error)) from error
        return connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection in autocommit; errors come translated. After an outage the dead ones are weeded out
        at once.
        """
        try:
            with translated(self.place):
                async with self._pool.connection() as connection:
                    yield connection
        except Unavailable:
            await self._pool.check()
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """The same, in one transaction whose statements travel together."""
        async with self.connection() as connection, connection.pipeline() as pipeline, connection.transaction():
            yield Session(connection, pipeline)


_CONNECT: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": _CONNECT_WITHIN,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "prepare_threshold": 2,
}


async def _configure(connection: Connection) -> None:
    await connection.execute(_SET, [part for setting in _EVENT_PATH.items() for part in setting])


def engine_url(url: str) -> URL:
    """`url` as SQLAlchemy wants it: with psycopg 3 as the driver."""
    return make_url(url).set(drivername="postgresql+psycopg")


def place_of(url: str) -> str:
    """Host, port and database, without the password. Raises Unavailable for what is no PostgreSQL URL."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Unavailable("TOCSIN_DATABASE_URL is no postgresql:// URL: check its spelling") from error
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"
