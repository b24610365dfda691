"""The event log as the public feed's source: what is not yet published, whatever its place. One relay works at a
time.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from models.feed import Excerpt, FeedRecord, Written, decode_feed, encode_feed
from models.severity import Priority, Severity
from models.store.connection import Database
from models.store.statements import Row, Rows

_RELAY = 7_268_110_443_520_002
"""Key of the advisory lock."""

# Held by the session, for no transaction may wait for a broker. Whoever sleeps on it loses the session and the lock.
_TAKE = """
SELECT mine, CASE WHEN mine THEN set_config('idle_session_timeout', '60s', false) END
FROM (SELECT pg_try_advisory_lock(%s) AS mine OFFSET 0) t
"""
_GIVE_BACK = "SELECT pg_advisory_unlock_all(), set_config('idle_session_timeout', '0', false)"

# An incident's `at` never decreases, so ordering by it keeps every incident's events in order and none is left behind.
_TOLD = """
SELECT e.owner_id, e.seq, e.at, e.kind, e.body::text,
       i.key, i.number, i.title, i.service, i.severity, i.priority, i.status, i.policy_version
"""
_UNPUBLISHED = f"""
{_TOLD} FROM (
    SELECT owner_id, first, last, sum(last - first + 1) OVER (ORDER BY at, owner_id, last) AS upto FROM unpublished
    ORDER BY at, owner_id, last LIMIT %(limit)s
) u
CROSS JOIN LATERAL (
    SELECT * FROM event WHERE owner_id = u.owner_id AND stream = 'incident' AND seq BETWEEN u.first AND u.last OFFSET 0
) e
CROSS JOIN LATERAL (SELECT * FROM incident WHERE id = u.owner_id OFFSET 0) i
WHERE u.upto - (u.last - u.first + 1) < %(limit)s
ORDER BY e.at, e.owner_id, e.seq
"""  # noqa: S608 (a constant of this module)
_ENDINGS = f"""
{_TOLD} FROM event e JOIN incident i ON i.id = e.owner_id
WHERE e.owner_id = ANY(%s::uuid[]) AND e.stream = 'incident' AND e.kind IN ('incident_resolved', 'incident_reopened')
ORDER BY e.owner_id, e.seq
"""
_PUBLISHED = """
DELETE FROM unpublished u USING unnest(%s::timestamptz[], %s::uuid[], %s::int[]) AS t(at, owner_id, seq)
WHERE u.at = t.at AND u.owner_id = t.owner_id AND u.last = t.seq
"""


class EventLog:
    """See agents/relay.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[bool]:
        """True for the one worker that may relay now; for a minute at most."""
        async with self._database.connection() as connection:
            [(mine, _)] = await (await connection.execute(_TAKE, (_RELAY,))).fetchall()
            try:
                yield mine
            finally:
                if mine:
                    await connection.execute(_GIVE_BACK)

    async def unpublished(self, limit: int) -> list[Excerpt]:
        """Some `limit` events that are not yet published, one record per incident, each in order. What one transaction
        wrote of an incident stays together.
        """
        return await self._excerpts(_UNPUBLISHED, {"limit": limit})

    async def endings(self, incidents: Sequence[uuid.UUID]) -> list[FeedRecord]:
        """How they were resolved and reopened, one record per incident, each in order, published or not."""
        return [decode_feed(encode_feed(told)) for told in await self._excerpts(_ENDINGS, (list(incidents),))]

    async def _excerpts(self, query: str, asked: Any) -> list[Excerpt]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, asked)).fetchall()
        of: dict[uuid.UUID, list[Row]] = {}
        for row in rows:
            of.setdefault(row[0], []).append(row)
        return [_excerpt(events) for events in of.values()]

    async def published(self, records: Sequence[Excerpt]) -> None:
        """Notes that these are on the topic."""
        places = [(it.at, record.about.incident_id, it.seq) for record in records for it in record.events]
        if places:
            async with self._database.connection() as connection:
                await connection.execute(_PUBLISHED, Rows.arrays(places))


def _excerpt(rows: Sequence[Row]) -> Excerpt:
    owner_id, _, _, _, _, key, number, title, service, severity, priority, status, policy_version = rows[0]
    about = FeedRecord(
        incident_id=owner_id,
        key=key,
        number=number,
        title=title,
        service=service,
        severity=Severity(severity),
        priority=Priority(priority),
        status=status,
        policy_version=policy_version,
        events=(),
    )
    return Excerpt(about, tuple(Written(seq, at, kind, body) for _, seq, at, kind, body, *_ in rows))
