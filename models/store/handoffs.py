"""Up to which instant the handoffs of each schedule were told. Owns that two workers never tell one twice: a mark is
moved only from where it was found, in the transaction that keeps what is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from models.deliveries import Delivery
from models.oncall.handoff import IncidentFacts
from models.severity import Severity
from models.store.connection import Database
from models.store.outbox_writes import enqueued

_BEGIN = """
INSERT INTO handoff (schedule, upto) SELECT name, clock_timestamp() FROM unnest(%s::text[]) AS t(name) ORDER BY 1
ON CONFLICT DO NOTHING
"""
_MARKS = "SELECT schedule, upto, clock_timestamp() FROM handoff WHERE schedule = ANY(%s) ORDER BY schedule"
_MOVE = "UPDATE handoff SET upto = %s WHERE schedule = %s AND upto = %s"
_HAPPENED = """
SELECT i.service, i.number, i.title, i.severity, i.opened_at, i.acknowledged_by, i.resolved_at, ARRAY(
    SELECT e.at FROM event e
    WHERE e.owner_id = i.id AND e.stream = 'incident' AND e.kind = 'level_paged' AND e.at >= %s
)
FROM incident i WHERE i.status <> 'resolved' OR i.updated_at >= %s
ORDER BY i.opened_at DESC LIMIT 2000
"""


class Handoffs:
    """Satisfies agents.handoffs.HandoffStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def marks(self, schedules: Collection[str]) -> tuple[datetime, Mapping[str, datetime]]:
        """The database's time, and each schedule's mark; one that has none gets the present."""
        names = sorted(schedules)
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_MARKS, (names,))).fetchall()
            if len(rows) < len(names):
                await connection.execute(_BEGIN, (names,))
                rows = await (await connection.execute(_MARKS, (names,))).fetchall()
        return max(now for _, _, now in rows), {name: upto for name, upto, _ in rows}

    async def happened(self, since: datetime) -> Mapping[str, list[IncidentFacts]]:
        """Incidents that are open, or changed after `since`, by service; the newest, where there are thousands."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_HAPPENED, (since, since))).fetchall()
        found: dict[str, list[IncidentFacts]] = {}
        for service, number, title, severity, opened_at, by, resolved_at, paged_at in rows:
            facts = IncidentFacts(
                number, title, service, Severity(severity), opened_at, by, resolved_at, tuple(paged_at)
            )
            found.setdefault(service, []).append(facts)
        return found

    async def tell(self, schedule: str, mark: datetime, upto: datetime, told: Sequence[Delivery]) -> bool:
        """Moves a mark and keeps what is to be sent, both or neither; False where the mark is another by now."""
        async with self._database.connection() as connection, connection.transaction():
            if (await connection.execute(_MOVE, (upto, schedule, mark))).rowcount == 0:
                return False
            for delivery in told:
                await connection.execute(*enqueued(delivery))
        return True
