"""Heartbeats of senders: when each was heard last, and since when it is missing. See agents/heartbeats.py.

Owns what counts as deaf: no probe (streams/heartbeat.py) has come through lately, so a sender's silence may be ours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.heartbeats import Beat, Watched, latest
from models.store.codec import clean, indexed
from models.store.connection import Connection, Database
from models.store.statements import Rows

HEARD_WITHIN = timedelta(seconds=75)
"""How old the last probe may be; one is sent every 30 to 55 seconds."""
BREAK = timedelta(seconds=45)
"""Between two looks; after a longer one every sender has its time again. Less than models.heartbeats.UNDER_WAY."""

COLUMNS = tuple(Watched.__dataclass_fields__)
_SHOWN = ", ".join(COLUMNS)
_KEYS = Rows({"sender": "text", "name": "text"})
_BEATS = Rows({"sender": "text", "name": "text", "heard_at": "timestamptz", "resolved_at": "timestamptz"})
# A receiver's clock that is ahead would make a sender immortal.
_REMEMBER = f"""
INSERT INTO heartbeat AS h (sender, name, heard_at, resolved_at)
SELECT t.sender, t.name, CASE WHEN t.heard_at > clock_timestamp() THEN clock_timestamp() ELSE t.heard_at END,
       t.resolved_at
FROM {_BEATS.source} ORDER BY t.place
ON CONFLICT (sender, name) DO UPDATE
SET heard_at = greatest(h.heard_at, excluded.heard_at), resolved_at = greatest(h.resolved_at, excluded.resolved_at)
"""  # noqa: S608 (constants of this module)
_AWAIT = _KEYS.insert("heartbeat", "ON CONFLICT DO NOTHING")
_HEARS = """
SELECT clock_timestamp(), EXISTS (SELECT FROM heartbeat) AND EXISTS (
    SELECT FROM inbox WHERE kind = 'path_probed' AND at > statement_timestamp() - %s
)
"""
_LOOK = f"""
UPDATE heartbeat
SET awaited_since = CASE WHEN looked_at < %s - %s THEN %s ELSE awaited_since END, looked_at = greatest(looked_at, %s)
RETURNING {_SHOWN}
"""  # noqa: S608 (constants of this module)
_MISSING = f"""
UPDATE heartbeat SET missing_at = %s
WHERE sender = %s AND name = %s AND missing_at IS NULL AND heard_at IS NOT DISTINCT FROM %s
RETURNING {_SHOWN}
"""  # noqa: S608 (constants of this module)
_TOLD = "UPDATE heartbeat SET told_at = clock_timestamp() WHERE sender = %s AND name = %s AND missing_at = %s"
_AGAIN = "UPDATE heartbeat SET missing_at = NULL, told_at = NULL WHERE sender = %s AND name = %s AND missing_at = %s"
_FORGET = "DELETE FROM heartbeat WHERE sender = %s AND name = %s AND missing_at IS NOT DISTINCT FROM %s"


class Heartbeats:
    """Satisfies triage's port `Beats` and the heartbeats' agent's `Book`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember_beats(self, beats: Collection[Beat]) -> None:
        """Notes when senders were heard, durably; an older beat changes nothing."""
        rows = [
            (indexed(one.sender), clean(one.name), None if one.resolved else one.at, one.at if one.resolved else None)
            for one in latest(beats)
        ]
        async with self._database.connection() as connection:
            for half in ([row for row in rows if row[2]], [row for row in rows if row[3]]):
                if half:  # a row may change once in a statement
                    await connection.execute(_REMEMBER, Rows.arrays(half))

    async def look(self, awaited: Sequence[tuple[str, str]]) -> tuple[datetime, Sequence[Watched]]:
        """The database's time and all that are watched, `awaited` ones from now on; none while we are deaf."""
        async with self._database.connection() as connection:
            if awaited:
                await connection.execute(_AWAIT, Rows.arrays((indexed(one), clean(name)) for one, name in awaited))
            now, hears = (await (await connection.execute(_HEARS, (HEARD_WITHIN,))).fetchall())[0]
            return now, await _rows(connection, _LOOK, (now, BREAK, now, now)) if hears else []

    async def found_missing(self, watched: Sequence[Watched], at: datetime) -> Sequence[Watched]:
        """Marks those that have not been heard since; as they stand then."""
        async with self._database.connection() as connection:
            marked = [await _rows(connection, _MISSING, (at, one.sender, one.name, one.heard_at)) for one in watched]
        return [one for found in marked for one in found]

    async def told(self, watched: Sequence[Watched]) -> None:
        """Their silence is known to the lifecycle."""
        await self._each(_TOLD, watched)

    async def found_again(self, watched: Sequence[Watched]) -> None:
        """Their silence is over."""
        await self._each(_AGAIN, watched)

    async def forget(self, watched: Sequence[Watched]) -> None:
        """The policy no longer waits for them."""
        await self._each(_FORGET, watched)

    async def _each(self, statement: str, watched: Sequence[Watched]) -> None:
        async with self._database.connection() as connection:
            for one in watched:
                await connection.execute(statement, (one.sender, one.name, one.missing_at))


async def _rows(connection: Connection, statement: str, parameters: Sequence[Any]) -> list[Watched]:
    rows = await (await connection.execute(statement, parameters)).fetchall()
    return [Watched(**dict(zip(COLUMNS, row, strict=True))) for row in rows]
