"""The store as its users see it: one object per process, opened once. Owns nothing but the connections it hands out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from models.statuspage import Publication, UnpublishedError
from models.store.codec import clean, indexed
from models.store.connection import Database
from models.store.deadlines import Ledger
from models.store.errors import StoreError
from models.store.feed import EventLog
from models.store.handoffs import Handoffs
from models.store.heartbeats import Heartbeats
from models.store.maintenance import Windows
from models.store.outbox import Outbox
from models.store.queries import Queries
from models.store.retention import Retention
from models.store.statements import Rows
from models.store.transaction import IncidentTransaction, MaintenanceTransaction, ReviewTransaction
from models.store.verification import Evidence

_KEYS_OF_GROUPS = """
SELECT t.place, g.key FROM unnest(%s::text[]) WITH ORDINALITY AS t(group_id, place)
JOIN alert_group g ON g.group_id = t.group_id AND (
    g.told_at > clock_timestamp() - interval '1 day'
    OR (SELECT status FROM incident i WHERE i.key = g.incident_key ORDER BY generation DESC LIMIT 1) <> 'resolved'
) ORDER BY t.place, g.key
"""
"""The day is for those whose signals are still under way, and for what a person has silenced in a resolved incident."""
_GROUPS = Rows({"group_id": "text", "incident_key": "text", "key": "text"})
_REMEMBER_GROUPS = _GROUPS.insert(
    "alert_group",
    "ON CONFLICT (group_id, incident_key) DO UPDATE SET told_at = excluded.told_at "
    "WHERE alert_group.told_at < excluded.told_at - interval '1 hour'",
)
_SAVE_POLICY = "INSERT INTO policy (version, name, text) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_PUBLICATION = tuple(Publication.__dataclass_fields__)
_PUBLISH = f"""
INSERT INTO publication ({", ".join(_PUBLICATION)}) VALUES ({", ".join(["%s"] * len(_PUBLICATION))})
ON CONFLICT (delivery_id) DO NOTHING
"""  # noqa: S608 (names of fields)


class Store:
    """Satisfies the ports of agents/: `incidents()` and `reviews()` itself, the others by its parts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ledger = Ledger(database)
        self.outbox = Outbox(database)
        self.log = EventLog(database)
        self.reads = Queries(database)
        self.retention = Retention(database)
        self.evidence = Evidence(database)
        self.heartbeats = Heartbeats(database)
        self.windows = Windows(database)
        self.handoffs = Handoffs(database)

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
        """A transaction over incidents; commits on leaving without an exception. Raises Conflict and Unavailable,
        also then.
        """
        async with self._database.transaction() as session:
            yield IncidentTransaction(session)

    @asynccontextmanager
    async def reviews(self) -> AsyncIterator[ReviewTransaction]:
        """The same over reviews."""
        async with self._database.transaction() as session:
            yield ReviewTransaction(session)

    @asynccontextmanager
    async def maintenance(self) -> AsyncIterator[MaintenanceTransaction]:
        """The same over maintenance windows."""
        async with self._database.transaction() as session:
            yield MaintenanceTransaction(session)

    async def held(self) -> list[tuple[str, str, str]]:
        """Key, service and environment of every incident that has a page held."""
        return await self.windows.held()

    async def remember_groups(self, told: Collection[tuple[str, str]]) -> None:
        """Notes which incident keys are about to be told of alerts of which group."""
        rows = {(indexed(group), indexed(key)): clean(key) for group, key in told}
        async with self._database.connection() as connection:
            await connection.execute(_REMEMBER_GROUPS, Rows.arrays((*pair, rows[pair]) for pair in sorted(rows)))

    async def keys_of_groups(self, groups: Sequence[str]) -> dict[str, list[str]]:
        """Keys that were told of alerts of a sender's groups and may still wait for them to resolve, by group."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_KEYS_OF_GROUPS, ([indexed(one) for one in groups],))).fetchall()
        found: dict[str, list[str]] = {}
        for place, key in rows:
            found.setdefault(groups[place - 1], []).append(key)
        return found

    async def save_policy(self, version: str, name: str, text: str) -> None:
        """Keeps a policy for as long as there are incidents that were opened under it; a known version stays as it
        is.
        """
        async with self._database.connection() as connection:
            await connection.execute(_SAVE_POLICY, (version, name, clean(text)))

    async def policy_text(self, version: str) -> str | None:
        """A policy as it was written; None for one that never was in force here."""
        async with self._database.connection() as connection:
            row = await (await connection.execute("SELECT text FROM policy WHERE version = %s", (version,))).fetchone()
        return None if row is None else str(row[0])

    async def publish(self, publication: Publication) -> None:
        """Keeps what our own status page says, once per delivery. Raises UnpublishedError while it cannot."""
        values = [getattr(publication, name) for name in _PUBLICATION]
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    _PUBLISH, [clean(value) if isinstance(value, str) else value for value in values]
                )
        except StoreError as error:
            raise UnpublishedError(str(error)) from error
