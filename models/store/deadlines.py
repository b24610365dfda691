"""The deadline ledger as claims: what is due is leased, never marked as fired here. Due-ness is the database's clock's.

Fired, cancelled and superseded are written by the transaction that handled the signal, or that made it unnecessary;
both contend for the one row, and what ended first stands.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from models.store.connection import Connection, Database
from models.store.errors import Unavailable

# statement_timestamp() and not clock_timestamp(): only a stable function can bound a scan of the index.
_CLAIM = """
WITH due AS (
    SELECT id FROM deadline
    WHERE status IN ('pending', 'claimed') AND next_at <= statement_timestamp()
    ORDER BY next_at, id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE deadline d SET status = 'claimed', next_at = clock_timestamp() + %s
FROM due WHERE d.id = due.id
RETURNING d.due_at, d.id, d.topic, d.key, d.name
"""
_UNTIL_NEXT = """
SELECT next_at - clock_timestamp() FROM deadline WHERE status IN ('pending', 'claimed') ORDER BY next_at, id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline that came due, and where its signal goes."""

    id: uuid.UUID
    topic: str
    key: str
    name: str
    due_at: datetime


class Ledger:
    """Claims on the ledger; see agents/deadlines.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim_due(self, limit: int, lease: timedelta) -> list[Due]:
        """Leases up to `limit` rows that are due, or whose lease ran out; earliest first. Rows that others hold are
        passed by.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(_CLAIM, (limit, lease))
            rows = sorted(await cursor.fetchall())
        return [Due(deadline_id, topic, key, name, due_at) for due_at, deadline_id, topic, key, name in rows]

    async def until_next(self) -> timedelta | None:
        """How long until the next row is due or its lease ends (negative when late); None when there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_UNTIL_NEXT)).fetchone()
        return row[0] if row else None

    @asynccontextmanager
    async def alarm(self) -> AsyncIterator[Alarm]:
        """Listens, on a connection of its own, for deadlines armed to come due at once."""
        alarm = Alarm(self._database)
        try:
            yield alarm
        finally:
            await alarm.close()


class Alarm:
    """Wakes a sleeper early. While the database is away it only sleeps, and listens again when it is back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    async def wait(self, within: timedelta) -> bool:
        """True as soon as something near was armed; False after `within`."""
        try:
            connection = await self._listening()
            async for _ in connection.notifies(timeout=within.total_seconds(), stop_after=1):
                return True
        except (Unavailable, psycopg.OperationalError):
            await self.close()
            await asyncio.sleep(within.total_seconds())
        return False

    async def close(self) -> None:
        """Stops listening."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _listening(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
            await self._connection.execute("LISTEN deadline")
        return self._connection
