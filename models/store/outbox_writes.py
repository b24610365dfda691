"""What a batch of steps does to the outbox: new deliveries in order, pages that must not go out, edits outdone.

Rows that exist already are locked by `seq`, here and in outbox.py, so that neither waits for the other in a ring.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from models.deliveries import Delivery, DeliveryKind, Provider
from models.step import Withdrawal
from models.store.codec import DELIVERY, clean, indexed, to_json
from models.store.statements import AnyStep, Row, Rows, Statement

_ANSWERS = frozenset({DeliveryKind.PAGE_ACKNOWLEDGE, DeliveryKind.PAGE_RESOLVE})
_OUTDONE = "a later edit shows the present state"
MAYBE_SENT = "; an attempt may have reached people all the same"

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

# A page whose attempt may have reached people is cancelled too: its own acknowledge follows it in the lane. One under
# way carries the reason until its attempt has ended (outbox.py). LATERAL for the reason that is given there.
_CANCEL = f"""
WITH locked AS (
    SELECT d.id, live.reason FROM (
        SELECT l.id, t.reason FROM unnest(%s::text[], %s::text[], %s::text[]) AS t(kind, lane, reason)
        CROSS JOIN LATERAL (
            SELECT id, seq FROM delivery WHERE lane = t.lane AND kind = t.kind AND ended_at IS NULL OFFSET 0
        ) AS l ORDER BY l.seq
    ) AS live
    CROSS JOIN LATERAL (
        SELECT id FROM delivery
        WHERE id = live.id AND (status = 'pending' OR (status = 'sending' AND kind = 'page')) FOR UPDATE
    ) AS d
)
UPDATE delivery d SET
    status = CASE d.status WHEN 'pending' THEN 'cancelled' ELSE d.status END,
    ended_at = CASE d.status WHEN 'pending' THEN clock_timestamp() END,
    detail = CASE WHEN d.cancel_requested THEN d.detail ELSE locked.reason END
        || CASE WHEN d.status = 'pending' AND d.unknown THEN '{MAYBE_SENT}' ELSE '' END,
    cancel_requested = true
FROM locked WHERE d.id = locked.id AND d.status IN ('pending', 'sending')
"""  # noqa: S608 (constants of this package)

DROP_MOOT_ANSWERS = f"""
UPDATE delivery a SET status = 'cancelled', ended_at = clock_timestamp(), detail = 'its page was never sent'
WHERE a.lane = ANY(%s::text[]) AND a.kind IN ('{DeliveryKind.PAGE_ACKNOWLEDGE}', '{DeliveryKind.PAGE_RESOLVE}')
  AND a.ended_at IS NULL AND a.status = 'pending'
  AND EXISTS (
      SELECT FROM delivery p
      WHERE p.incident_id = a.incident_id AND p.lane = a.lane
        AND p.kind = 'page' AND p.status = 'cancelled' AND NOT p.unknown
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
    reason: str = ""

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
            clean(self.reason),
            self.cancelled_at,
            to_json(DELIVERY, it),
        )


@dataclass(slots=True)
class _Batch:
    now: datetime
    drafts: list[_Draft] = field(default_factory=list)
    cancels: dict[tuple[str, str], str] = field(default_factory=dict)
    """Kind and lane of what is in the outbox already and must not go out, and why."""

    def add(self, step: AnyStep) -> None:
        for delivery in step.deliveries:
            if delivery.kind is DeliveryKind.REFRESH:
                self._outdo(delivery.lane)
            self.drafts.append(_Draft(delivery))
        for withdrawal in step.withdrawals:
            self._withdraw(withdrawal)

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        self.cancels.setdefault((DeliveryKind.PAGE, indexed(withdrawal.lane)), clean(withdrawal.reason))
        for draft in self.drafts:
            page = draft.delivery.kind is DeliveryKind.PAGE and draft.delivery.lane == withdrawal.lane
            if page and draft.cancelled_at is None:
                draft.cancelled_at, draft.reason = self.now, withdrawal.reason

    def _outdo(self, lane: str) -> None:
        self.cancels.setdefault((DeliveryKind.REFRESH, indexed(lane)), _OUTDONE)
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
    if batch.cancels:
        rows = [(str(kind), lane, reason) for (kind, lane), reason in sorted(batch.cancels.items())]
        statements.append((_CANCEL, [list(column) for column in zip(*rows, strict=True)]))
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
