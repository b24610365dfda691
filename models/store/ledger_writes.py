"""What one batch of steps does to the deadline ledger. A row that has ended never changes again; that is the SQL's
to guard.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from models.deadlines import POSTMORTEM, Deadline, DeadlineStatus
from models.maintenance import MaintenanceWindow
from models.maintenance_signals import TOPIC
from models.review import Review
from models.state import Incident
from models.store.codec import clean
from models.store.statements import AnyStep, Row, Rows, Statement

_ARMED = Rows(
    {
        "id": "uuid",
        "owner_id": "uuid",
        "topic": "text",
        "key": "text",
        "name": "text",
        "due_at": "timestamptz",
    }
)
# The postmortem's deadline is known twice, to the incident that arms it and to the review that answers it.
_ARM = f"""
INSERT INTO deadline ({_ARMED.names}, status, next_at)
SELECT {_ARMED.values}, 'pending', t.due_at FROM {_ARMED.source} ORDER BY t.place
ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 (constants of this package)
# NOT IN, so that nobody thinks of reading all that is armed by its index.
_END = """
UPDATE deadline d SET status = t.status, ended_at = clock_timestamp()
FROM unnest(%s::uuid[], %s::text[]) AS t(id, status)
WHERE d.id = t.id AND d.status NOT IN ('fired', 'cancelled', 'superseded')
"""
_WAKE = "SELECT pg_notify('deadline', '')"
_SOON = timedelta(seconds=2)
"""Sleepers look for themselves once a second, so only what is due before that is worth waking them for."""


def write(steps: Iterable[AnyStep], now: datetime) -> list[Statement]:
    """The statements. Every deadline is entered once, as armed, and ended after that, also within one batch."""
    armed: dict[uuid.UUID, Row] = {}
    ended: dict[uuid.UUID, DeadlineStatus] = {}
    for step in steps:
        for entry in step.ledger:
            deadline = entry.deadline
            if entry.status is DeadlineStatus.PENDING:
                armed.setdefault(deadline.id, _row(step.after, deadline))
            else:
                ended.setdefault(deadline.id, entry.status)
    statements: list[Statement] = []
    if armed:
        statements.append((_ARM, _ARMED.arrays(row for _, row in sorted(armed.items()))))
    if ended:
        ends = sorted(ended.items())
        statements.append((_END, ([key for key, _ in ends], [status.value for _, status in ends])))
    if any(row[-1] <= now + _SOON for deadline_id, row in armed.items() if deadline_id not in ended):
        statements.append((_WAKE, ()))
    return statements


def _row(owner: Incident | Review | MaintenanceWindow | None, deadline: Deadline) -> Row:
    """Where its signal goes: to the owner's stream. A postmortem's deadline is armed by the incident and answered
    by the review.
    """
    if isinstance(owner, Review):
        return deadline.id, owner.incident_id, "review.signals", str(owner.incident_id), deadline.name, deadline.due_at
    if isinstance(owner, MaintenanceWindow):
        return deadline.id, owner.id, TOPIC, str(owner.id), deadline.name, deadline.due_at
    if owner is None:
        raise AssertionError("a deadline without an owner")
    if deadline.name == POSTMORTEM:
        return deadline.id, owner.id, "review.signals", str(owner.id), deadline.name, deadline.due_at
    return deadline.id, owner.id, "incident.signals", clean(owner.key), deadline.name, deadline.due_at
