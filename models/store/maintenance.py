"""Maintenance windows in the database: the shape of their rows, and what is asked about them. POLICY 21.

Written by the transaction alone (state_writes.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from models.maintenance import MaintenanceWindow
from models.maintenance_events import Fired
from models.severity import Severity
from models.store.codec import WINDOW, to_json
from models.store.connection import Database
from models.store.statements import Row, Rows

ROWS = Rows(
    {
        "id": "uuid",
        "seq": "int",
        "status": "text",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "watched_until": "timestamptz",
        "updated_at": "timestamptz",
        "state": "json",
    }
)
LOCK = """
SELECT k.id, w.id, w.state::text FROM unnest(%s::uuid[]) AS k(id)
CROSS JOIN LATERAL (SELECT id, state FROM maintenance_window WHERE id = k.id FOR UPDATE) w
"""
LATEST = "SELECT id FROM maintenance_window WHERE id = ANY(%s::uuid[])"
# What is in force is shared with other deciders, but not with whoever ends it: what they hold by it they have written
# before it ends. `watched_until` is there for the index.
AROUND = """
WITH in_force AS MATERIALIZED (
    SELECT state::text FROM maintenance_window
    WHERE watched_until > statement_timestamp() AND starts_at <= statement_timestamp()
      AND ends_at > statement_timestamp() AND status IN ('planned', 'started')
    ORDER BY id FOR SHARE
)
SELECT state FROM in_force
UNION ALL SELECT state::text FROM maintenance_window
WHERE watched_until > statement_timestamp() AND ends_at <= statement_timestamp() AND status <> 'cancelled'
"""
# What began, and what had a page held, since then: both are found by an index.
FIRED = """
WITH span AS (SELECT %s::timestamptz AS since, %s::timestamptz AS until)
SELECT i.number, i.title, i.service, i.severity, i.status <> 'resolved', i.environment FROM incident i, span
WHERE i.opened_at BETWEEN since AND until
   OR i.id IN (SELECT d.owner_id FROM deadline d, span WHERE d.armed_at BETWEEN since AND until AND d.name = 'wake')
ORDER BY i.opened_at, i.id
"""
_HELD = """
SELECT d.key, i.service, i.environment FROM deadline d JOIN incident i ON i.id = d.owner_id
WHERE d.status IN ('pending', 'claimed') AND d.name = 'wake' ORDER BY d.key
"""
_ALL = """
SELECT state::text FROM maintenance_window
WHERE watched_until > statement_timestamp() - interval '31 days' ORDER BY starts_at, id
"""
_ONE = "SELECT state::text FROM maintenance_window WHERE id = %s"


def row(it: MaintenanceWindow) -> Row:
    """Its columns, in order."""
    return (it.id, it.seq, it.status, it.starts_at, it.ends_at, it.watched_until, it.last_at, to_json(WINDOW, it))


def fired(rows: Iterable[Row], window: MaintenanceWindow) -> list[Fired]:
    """Of the rows that FIRED gives those of its services."""
    return [
        Fired(number, title, service, Severity(severity), is_open)
        for number, title, service, severity, is_open, environment in rows
        if window.covers(service, environment)
    ]


class Windows:
    """Questions about them. Every one raises Unavailable when nobody answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lately(self) -> list[MaintenanceWindow]:
        """Those that are to come, are in force, or were a month ago; by their start."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_ALL)).fetchall()
        return [WINDOW.validate_json(state) for (state,) in rows]

    async def one(self, window_id: uuid.UUID) -> MaintenanceWindow | None:
        """One of them."""
        async with self._database.connection() as connection:
            found = await (await connection.execute(_ONE, (window_id,))).fetchone()
        return WINDOW.validate_json(found[0]) if found else None

    async def held(self) -> list[tuple[str, str, str]]:
        """Key, service and environment of every incident that has a page held."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_HELD)).fetchall()
        return [(key, service, environment) for key, service, environment in rows]
