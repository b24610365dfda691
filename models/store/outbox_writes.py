"""What a batch of steps does to the outbox: new deliveries in order, pages that must not go out, edits outdone.

Rows that exist already are locked by `seq`, here and in outbox.py, so that neither waits for the other in a ring.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from models.deliveries import Delivery, DeliveryKind, Provider
from models.state import Incident
from models.store.codec import DELIVERY, clean, indexed, to_json
from models.store.statements import AnyStep, Row, Rows, Statement

_ANSWERS = frozenset({DeliveryKind.PAGE_ACKNOWLEDGE, DeliveryKind.PAGE_RESOLVE})
_OUTDONE = "a later edit shows the present state"
_NO_LONGER_NEEDED = "acknowledged or resolved before it was sent"

_DELIVERY = Rows(
    {
        "id": "uuid",
        "incident_id": "uuid",
        "incident_key": "text",
        "provider": "text",
        "kind": "text",
        "lane": "text",
        "urgency": "int",
        "ordinal": "int",
        "status": "text",
        "detail": "text",
        "ended_at": "timestamptz",
        "body": "json",
    }
)
_INSERT = _DELIVERY.insert("delivery")

# A page whose attempt may have reached people is cancelled too: its own acknowledge follows it in the lane.
_CANCEL = """
WITH locked AS (
    SELECT id FROM delivery
    WHERE (incident_id = ANY(%s::uuid[]) AND kind = 'page' AND status IN ('pending', 'sending'))
       OR (lane = ANY(%s::text[]) AND kind = 'refresh' AND status = 'pending')
    ORDER BY seq FOR UPDATE
)
UPDATE delivery d SET
    status = CASE d.status WHEN 'pending' THEN 'cancelled' ELSE d.status END,
    ended_at = CASE d.status WHEN 'pending' THEN clock_timestamp() END,
    detail = CASE WHEN d.status = 'sending' THEN d.detail WHEN d.kind = 'page' THEN %s ELSE %s END,
    cancel_requested = true
FROM locked WHERE d.id = locked.id AND d.status IN ('pending', 'sending')
"""

DROP_MOOT_ANSWERS = f"""
UPDATE delivery a SET status = 'cancelled', ended_at = clock_timestamp(), detail = 'its page was never sent'
WHERE a.lane = ANY(%s::text[]) AND a.kind IN ('{DeliveryKind.PAGE_ACKNOWLEDGE}', '{DeliveryKind.PAGE_RESOLVE}')
  AND a.status = 'pending'
  AND EXISTS (
      SELECT FROM delivery p WHERE p.lane = a.lane AND p.kind = 'page' AND p.status = 'cancelled' AND NOT p.unknown
  )
"""  # noqa: S608 (constants of this package)
"""Cancels acknowledges and resolves in lanes whose page was cancelled without an attempt that may have reached
people.
"""


@dataclass(slots=True)
class _Draft:
    """A delivery on its way in; what follows in the same batch may still cancel it."""

    delivery: Delivery
    cancelled_at: datetime | None = None

    def row(self) -> Row:
        it = self.delivery
        return (
            it.id,
            it.incident_id,
            clean(it.incident_key),
            it.provider.value,
            it.kind.value,
            indexed(it.lane),
            int(it.urgency),
            it.page.ordinal if it.page else None,
            "cancelled" if self.cancelled_at else "pending",
            _NO_LONGER_NEEDED if self.cancelled_at else "",
            self.cancelled_at,
            to_json(DELIVERY, it),
        )


@dataclass(slots=True)
class _Batch:
    now: datetime
    drafts: list[_Draft] = field(default_factory=list)
    cancels: set[uuid.UUID] = field(default_factory=set)
    """Incidents whose pages that are in the outbox already must not go out."""
    refreshed: set[str] = field(default_factory=set)
    """Lanes whose edits that are in the outbox already are outdone."""

    def add(self, step: AnyStep) -> None:
        if step.cancels_pages and isinstance(step.after, Incident):
            self._cancel_pages(step.after.id)
        for delivery in step.deliveries:
            if delivery.kind is DeliveryKind.REFRESH:
                self._outdo(delivery.lane)
            self.drafts.append(_Draft(delivery))

    def _cancel_pages(self, incident_id: uuid.UUID) -> None:
        self.cancels.add(incident_id)
        for draft in self.drafts:
            if draft.delivery.incident_id == incident_id and draft.delivery.kind is DeliveryKind.PAGE:
                draft.cancelled_at = self.now

    def _outdo(self, lane: str) -> None:
        self.refreshed.add(indexed(lane))
        self.drafts = [
            draft
            for draft in self.drafts
            if draft.delivery.lane != lane or draft.delivery.kind is not DeliveryKind.REFRESH
        ]


def write(steps: Iterable[AnyStep], now: datetime) -> tuple[list[Statement], frozenset[Provider]]:
    """The statements, in order, and the providers that have something to do after them."""
    batch = _Batch(now)
    for step in steps:
        batch.add(step)
    statements: list[Statement] = []
    if batch.cancels or batch.refreshed:
        statements.append((_CANCEL, (sorted(batch.cancels), sorted(batch.refreshed), _NO_LONGER_NEEDED, _OUTDONE)))
    if batch.drafts:
        statements.append(_insert(batch.drafts))
    answered = {indexed(draft.delivery.lane) for draft in batch.drafts if draft.delivery.kind in _ANSWERS}
    if answered:
        statements.append((DROP_MOOT_ANSWERS, (sorted(answered),)))
    return statements, frozenset(draft.delivery.provider for draft in batch.drafts if draft.cancelled_at is None)


def enqueued(delivery: Delivery) -> Statement:
    """Adds a delivery that follows from no step (a test page); one that is there already stays as it is."""
    query, arrays = _insert([_Draft(delivery)])
    return f"{query} ON CONFLICT (id) DO NOTHING", arrays


def _insert(drafts: Iterable[_Draft]) -> Statement:
    return _INSERT, _DELIVERY.arrays(draft.row() for draft in drafts)
