"""What the metrics, the health page and the heartbeat ask of the store: counts and ages. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from models.store import tables
from models.store.rows import Figures

_I, _D, _L = tables.IncidentRow, tables.DeliveryRow, tables.DeadlineRow
_LONGEST_LEASE = timedelta(minutes=5)
"""Bounds the scan for deadlines that are due: those under way are in the index by the end of their lease."""
_NOW = func.clock_timestamp()

# A page that the next level's superseded still counts: nobody could be reached since then. Not so once a page of the
# incident got through (or was refused, which pages the next level at once), or somebody had it.
_OLDEST_PAGE = text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(least(w.created_at, p.created_at))), 0)
FROM delivery w LEFT JOIN delivery p
    ON p.incident_id = w.incident_id AND p.seq < w.seq AND p.kind = 'page' AND p.status = 'cancelled'
    AND NOT EXISTS (
        SELECT FROM delivery e
        WHERE e.incident_id = p.incident_id AND e.seq > p.seq
          AND (e.kind = 'page' AND e.status IN ('delivered', 'refused')
               OR e.kind IN ('page_acknowledge', 'page_resolve'))
    )
WHERE w.kind = 'page' AND w.ended_at IS NULL AND w.urgency >= 0
""")


async def figures(connection: AsyncConnection) -> Figures:
    """As of now."""
    now = func.statement_timestamp()
    due = (
        tables.ARMED,
        col(_L.next_at) <= now + _LONGEST_LEASE,
        col(_L.due_at) <= now,
    )
    pending = select(col(_D.provider), func.count()).where(tables.QUEUED).group_by(col(_D.provider))
    refused = select(col(_D.provider), func.count()).where(col(_D.refused)).group_by(col(_D.provider))
    severities = select(col(_I.severity), func.count()).where(col(_I.status) != "resolved").group_by(col(_I.severity))
    late = select(func.count(), _age(func.min(col(_L.due_at)))).where(*due)
    [(due_count, due_age)] = (await connection.execute(late)).all()
    return Figures(
        pending_deliveries=_counts(await connection.execute(pending)),
        refused_deliveries=_counts(await connection.execute(refused)),
        oldest_pending_page_seconds=float((await connection.execute(_OLDEST_PAGE)).scalar_one()),
        due_deadlines=due_count,
        oldest_due_deadline_seconds=float(due_age),
        open_incidents=_counts(await connection.execute(severities)),
    )


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in rows}


def _age(since: Any) -> Any:
    return func.coalesce(func.extract("epoch", _NOW - since), 0)
