"""The open incidents around those of a batch: what models/surroundings.py asks, in one trip with the batch's locks.

Reads what is committed: of two workers that open incidents in the same instant neither sees the other's, and both page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncCursor

from models.severity import Priority, Severity
from models.store.codec import clean, indexed
from models.store.connection import Session
from models.surroundings import Neighbour, Question, Surroundings

_COLUMNS = "i.key, i.number, i.service, i.environment, i.severity, i.priority, i.parent"
_WORST = f"""
SELECT DISTINCT ON (i.service, i.environment) {_COLUMNS} FROM incident i
WHERE i.status <> 'resolved' AND i.parent IS NULL AND i.service = ANY(%s::text[])
ORDER BY i.service, i.environment, i.severity, i.opened_at
"""  # noqa: S608 (constants of this module)
# Only the latest generation of a key can be open. LATERAL, so that each is gone to: all that is open is no shorter way.
_LATEST = "CROSS JOIN LATERAL (SELECT * FROM incident WHERE key = k.key ORDER BY generation DESC LIMIT 1) i"
_BY_KEY = f"""
WITH asked AS MATERIALIZED (SELECT {_COLUMNS}, i.status FROM unnest(%s::text[]) AS k(key) {_LATEST})
SELECT {_COLUMNS} FROM asked i WHERE i.status <> 'resolved'
UNION
SELECT {_COLUMNS} FROM (SELECT DISTINCT parent FROM asked WHERE parent IS NOT NULL) AS k(key) {_LATEST}
WHERE i.status <> 'resolved'
"""  # noqa: S608
_ATTACHED = "SELECT parent, count(*) FROM incident WHERE status <> 'resolved' AND parent = ANY(%s::text[]) GROUP BY 1"
# statement_timestamp(), which stands still meanwhile, so that the index on it is asked; not all there ever was.
_BEGUN = """
SELECT e.environment, (SELECT count(*) FROM (
    SELECT 1 FROM incident i WHERE i.opened_at > statement_timestamp() - %s AND i.environment = e.environment LIMIT %s
) begun) FROM unnest(%s::text[]) AS e(environment)
"""
_Answer = AsyncCursor[Any] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way. `answer` may be read once the session has settled."""

    worst: _Answer
    by_key: _Answer
    attached: _Answer
    begun: _Answer

    async def answer(self) -> Surroundings:
        """What is known."""
        worst = _neighbours(await _rows(self.worst))
        return Surroundings(
            worst={(one.environment, one.service): one for one in worst},
            by_key={one.key: one for one in _neighbours(await _rows(self.by_key))},
            attached=dict(await _rows(self.attached)),
            begun=dict(await _rows(self.begun)),
        )


async def ask(session: Session, question: Question) -> Asked:
    """Sends what has to be asked; nothing for what nobody wants to know."""

    async def sent(query: str, wanted: Collection[str], *others: object) -> _Answer:
        return await session.execute(query, (*others, sorted(wanted))) if wanted else None

    keys = sorted({indexed(key) for key in question.keys})
    return Asked(
        await sent(_WORST, {clean(name) for name in question.services}),
        await sent(_BY_KEY, keys),
        await sent(_ATTACHED, {indexed(key) for key in question.attached_to}),
        await sent(_BEGUN, {clean(name) for name in question.environments}, question.window, question.most),
    )


async def _rows(answer: _Answer) -> Sequence[Any]:
    return await answer.fetchall() if answer is not None else ()


def _neighbours(rows: Sequence[Any]) -> Iterator[Neighbour]:
    for key, number, service, environment, severity, priority, parent in rows:
        yield Neighbour(
            key=key,
            number=number,
            service=service,
            environment=environment,
            severity=Severity(severity),
            priority=Priority(priority),
            parent=parent,
        )
