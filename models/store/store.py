"""The store as its users see it: one object per process, opened once. Owns nothing but the connections it hands out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.store.connection import Database
from models.store.deadlines import Ledger
from models.store.feed import EventLog
from models.store.outbox import Outbox
from models.store.transaction import IncidentTransaction, ReviewTransaction


class Store:
    """Satisfies the ports of agents/: `incidents()` and `reviews()` itself, `ledger`, `outbox` and `log` by its parts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ledger = Ledger(database)
        self.outbox = Outbox(database)
        self.log = EventLog(database)

    @classmethod
    async def open(cls, url: str) -> Store:
        """Connects. Raises Unavailable with one line that says why not."""
        database = Database(url)
        await database.open()
        return cls(database)

    async def close(self) -> None:
        """Gives every connection back."""
        await self._database.close()

    @asynccontextmanager
    async def incidents(self) -> AsyncIterator[IncidentTransaction]:
        """A transaction over incidents; commits on leaving without an exception. Raises Conflict and Unavailable, also then."""
        async with self._database.transaction() as connection:
            yield IncidentTransaction(connection)

    @asynccontextmanager
    async def reviews(self) -> AsyncIterator[ReviewTransaction]:
        """The same over reviews."""
        async with self._database.transaction() as connection:
            yield ReviewTransaction(connection)
