"""What `tocsin verify` reads: incidents with their logs, deadlines and pages, some at a time, as of one instant each.

Reads only, and holds nothing while it is judged. Which rows are wrong is decided in models/verification.py.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.findings import ArmedRow, Astray, Case, LogRow, SentRow
from models.maintenance import MaintenanceWindow
from models.store.codec import INCIDENT, REVIEW
from models.store.connection import Database
from models.store.maintenance import Windows

# What is open counts as changed: it can go wrong without a step. A review's deadlines outlive its incident's changes.
_CHANGED = """
SELECT i.id FROM incident i
WHERE i.id > %s AND (
    i.updated_at >= %s OR i.status <> 'resolved'
    OR EXISTS (SELECT FROM review r WHERE r.incident_id = i.id AND r.updated_at >= %s)
) ORDER BY i.id LIMIT %s
"""
# By the inbox, whose index knows what is recent. Keys stand there in full: an over-long one is left to the command.
_LATELY = """
SELECT i.id FROM incident i
WHERE i.id > %s AND i.updated_at >= %s
  AND i.key IN (SELECT n.key FROM inbox n WHERE n.at >= %s AND n.changed)
ORDER BY i.id LIMIT %s
"""
_THOSE = "SELECT id FROM incident WHERE id = ANY(%s::uuid[]) AND updated_at >= %s ORDER BY id"
_INCIDENTS = "SELECT id, number, state::text FROM incident WHERE id = ANY(%s::uuid[]) ORDER BY id"
_REVIEWS = "SELECT incident_id, state::text FROM review WHERE incident_id = ANY(%s::uuid[])"
_LOGS = """
SELECT owner_id, stream, seq, at, signal_id, body::text FROM event
WHERE owner_id = ANY(%s::uuid[]) ORDER BY owner_id, stream, seq
"""
_DEADLINES = "SELECT owner_id, id, name, due_at, status, ended_at FROM deadline WHERE owner_id = ANY(%s::uuid[])"
_SENT = """
SELECT incident_id, id, kind, lane, ordinal, status, attempts, unknown, detail, created_at, first_attempt_at, ended_at
FROM delivery WHERE incident_id = ANY(%s::uuid[]) AND kind IN ('page', 'page_acknowledge', 'page_resolve') ORDER BY seq
"""
_ASTRAY = """
SELECT d.owner_id, coalesce(i.number, 'maintenance ' || w.id), d.id, d.name, d.due_at, d.status, d.ended_at
FROM deadline d LEFT JOIN incident i ON i.id = d.owner_id LEFT JOIN maintenance_window w ON w.id = d.owner_id
WHERE d.status IN ('pending', 'claimed') AND (coalesce(i.id, w.id) IS NULL OR d.due_at < %s)
ORDER BY d.due_at LIMIT 1000
"""
_SENT_FIELDS = tuple(SentRow.__dataclass_fields__)
FIRST = uuid.UUID(int=0)
"""Before every id."""

_Row = TypeVar("_Row")


class Evidence:
    """See streams/verify.py for who asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """The database's present."""
        async with self._database.connection() as connection:
            row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
        assert row is not None
        return row[0]  # type: ignore[no-any-return]

    async def changed(self, since: datetime, after: uuid.UUID, limit: int) -> list[uuid.UUID]:
        """Incidents that changed since then, or whose review did, and all that are open; by id, from behind `after`."""
        return await self._ids(_CHANGED, (after, since, since, limit))

    async def lately(self, since: datetime, after: uuid.UUID, limit: int) -> list[uuid.UUID]:
        """Incidents that changed since then, found at little cost when that is not long ago."""
        return await self._ids(_LATELY, (after, since, since, limit))

    async def those_lately(self, incidents: Sequence[uuid.UUID], since: datetime) -> list[uuid.UUID]:
        """Those of `incidents` that have changed since then."""
        return await self._ids(_THOSE, (list(incidents), since))

    async def cases(self, incidents: Sequence[uuid.UUID]) -> list[Case]:
        """All of these, as one snapshot. What has no state is not there."""
        ids = (list(incidents),)
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            states, reviews, logs, deadlines, sent = [
                await (await connection.execute(query, ids)).fetchall()
                for query in (_INCIDENTS, _REVIEWS, _LOGS, _DEADLINES, _SENT)
            ]
        owed = {owner: _read(REVIEW, state) for owner, state in reviews}
        told = _grouped(((owner, stream), LogRow(*row)) for owner, stream, *row in logs)
        armed = _grouped((owner, ArmedRow(*row)) for owner, *row in deadlines)
        paged = _grouped((owner, SentRow(**dict(zip(_SENT_FIELDS, row, strict=True)))) for owner, *row in sent)
        return [
            Case(
                id=owner,
                number=number,
                incident=_read(INCIDENT, state),
                log=told[owner, "incident"],
                review=owed.get(owner),
                review_log=told[owner, "review"],
                deadlines=armed[owner],
                deliveries=paged[owner],
            )
            for owner, number, state in states
        ]

    async def astray(self, overdue_since: datetime) -> list[Astray]:
        """Armed rows that were due before then, or whose incident there is not; the oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_ASTRAY, (overdue_since,))).fetchall()
        return [Astray(ArmedRow(*row), owner, number) for owner, number, *row in rows]

    async def windows(self) -> list[MaintenanceWindow]:
        """Maintenance that is planned, in force, or was a month ago."""
        return await Windows(self._database).lately()

    async def _ids(self, query: str, parameters: Sequence[Any]) -> list[uuid.UUID]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, parameters)).fetchall()
        return [found for (found,) in rows]


def _read(adapter: TypeAdapter[_Row], state: str) -> _Row | None:
    try:
        return adapter.validate_json(state)
    except ValidationError:
        return None


def _grouped(rows: Iterable[tuple[Any, _Row]]) -> defaultdict[Any, tuple[_Row, ...]]:
    found: dict[Any, list[_Row]] = defaultdict(list)
    for owner, row in rows:
        found[owner].append(row)
    return defaultdict(tuple, {owner: tuple(several) for owner, several in found.items()})
