"""What the store forgets, and when: rows whose age is past and that nothing waits for any more.

Owns the order and the size of the bites. Never deletes what is open, armed, unsent, unpublished or untold, nor the
inbox row of a signal that the broker may still hold. Rows that others hold are passed by, so any number of workers may
sweep at once. See docs/decisions/0018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models.store.connection import Connection, Database

ROWS, INCIDENTS = 2000, 100
"""Deleted by one statement, at most. An incident is some dozens of rows."""

# The ages of the indexed columns follow from the others: they bound the scan (docs/decisions/0018).
_INBOX = """
DELETE FROM inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM inbox WHERE at < statement_timestamp() - %s LIMIT %s FOR UPDATE SKIP LOCKED
))
"""
_DEADLINES = """
DELETE FROM deadline WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM deadline
    WHERE armed_at < statement_timestamp() - %s AND ended_at < statement_timestamp() - %s
      AND status IN ('fired', 'cancelled', 'superseded')
    LIMIT %s FOR UPDATE SKIP LOCKED
))
"""
_DELIVERIES = """
DELETE FROM delivery WHERE ctid = ANY(ARRAY(
    SELECT d.ctid FROM delivery d
    WHERE d.created_at < statement_timestamp() - %s AND d.ended_at < statement_timestamp() - %s
      AND NOT d.untold
      AND NOT EXISTS (
          SELECT FROM incident i WHERE i.id = d.incident_id
          AND (i.status <> 'resolved' OR i.updated_at >= statement_timestamp() - %s)
      )
    LIMIT %s FOR UPDATE OF d SKIP LOCKED
))
"""

# A group is noted anew before its next signal is published: whoever comes second waits, and finds what the first did.
_GROUPS = """
DELETE FROM alert_group WHERE ctid = ANY(ARRAY(
    SELECT g.ctid FROM alert_group g
    WHERE g.told_at < statement_timestamp() - %s
      AND NOT EXISTS (SELECT FROM incident i WHERE i.key = g.incident_key AND i.status <> 'resolved')
    LIMIT %s FOR UPDATE OF g SKIP LOCKED
))
"""

_OVER = """
SELECT i.id FROM incident i
WHERE i.opened_at < statement_timestamp() - %s AND i.updated_at < statement_timestamp() - %s AND i.status = 'resolved'
  AND NOT EXISTS (
      SELECT FROM review r WHERE r.incident_id = i.id
      AND (r.postmortem_status = 'open' OR r.updated_at >= statement_timestamp() - %s)
  )
  AND NOT EXISTS (SELECT FROM action_item a WHERE a.incident_id = i.id AND a.done_at IS NULL)
  AND NOT EXISTS (SELECT FROM deadline d WHERE d.owner_id = i.id AND d.status IN ('pending', 'claimed'))
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.incident_id = i.id AND (d.ended_at IS NULL OR d.untold))
  AND NOT EXISTS (SELECT FROM unpublished u WHERE u.owner_id = i.id)
ORDER BY i.opened_at LIMIT %s FOR UPDATE OF i SKIP LOCKED
"""
_OF_AN_INCIDENT = tuple(
    f"DELETE FROM {table} WHERE {owner} = ANY(%s::uuid[])"  # noqa: S608 (names of tables)
    for table, owner in (
        ("event", "owner_id"),
        ("action_item", "incident_id"),
        ("review", "incident_id"),
        ("publication", "incident_id"),
        ("receipt", "incident_id"),
        ("incident", "id"),
    )
)
_WINDOWS = """
WITH over AS (
    DELETE FROM maintenance_window
    WHERE watched_until < statement_timestamp() - %s AND status IN ('ended', 'cancelled') RETURNING id
)
DELETE FROM event e USING over WHERE e.owner_id = over.id
"""
_POLICIES = """
DELETE FROM policy p WHERE p.first_seen < statement_timestamp() - %s AND p.version <> %s
  AND NOT EXISTS (SELECT FROM incident i WHERE i.policy_version = p.version)
"""


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long. `inbox` must be more than the broker keeps a record that leads to a signal."""

    inbox: timedelta
    ended: timedelta
    """Deliveries and deadlines after their end, and groups of alerts after they were last heard of."""
    incidents: timedelta
    """With their event log, which is the audit trail, their reviews and their policies; after the last change. So are
    maintenance windows.
    """


class Retention:
    """See streams/process/worker.py for who asks."""

    def __init__(self, database: Database, rows: int = ROWS) -> None:
        self._database = database
        self._rows = rows

    async def sweep(self, keep: Keep, in_force: str) -> bool:
        """One bite of every table; True when there may be more. The policy version `in_force` stays."""
        ended, rows = keep.ended, self._rows
        async with self._database.connection() as connection:
            full = [
                await _delete(connection, _INBOX, (keep.inbox, rows)) == rows,
                await _delete(connection, _DEADLINES, (ended, ended, rows)) == rows,
                await _delete(connection, _DELIVERIES, (ended, ended, ended, rows)) == rows,
                await _delete(connection, _GROUPS, (ended, rows)) == rows,
                await _forget_incidents(connection, keep.incidents) == INCIDENTS,
            ]
            await connection.execute(_WINDOWS, (keep.incidents,))
            await connection.execute(_POLICIES, (keep.incidents, in_force))
        return any(full)


async def _delete(connection: Connection, statement: str, parameters: Sequence[Any]) -> int:
    return (await connection.execute(statement, parameters)).rowcount


async def _forget_incidents(connection: Connection, age: timedelta) -> int:
    async with connection.transaction():
        over = [one for (one,) in await (await connection.execute(_OVER, (age, age, age, INCIDENTS))).fetchall()]
        for statement in _OF_AN_INCIDENT if over else ():
            await connection.execute(statement, (over,))
    return len(over)
