"""The outbox as an agent of one provider works it: lease the heads of lanes, write outcomes, tell how pages fared.

Owns order and leases. A lease that ran out is an attempt of unknown outcome. Never sends anything.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from models.deliveries import Delivered, Delivery, Outcome, Provider, Refused, RetryLater
from models.store.codec import DELIVERY, clean
from models.store.connection import Database
from models.store.outbox_writes import DROP_MOOT_ANSWERS, MAYBE_SENT, enqueued
from models.store.statements import Row, Rows

# The subquery with min() keeps the scan lazy: it stops at the limit, and looks at one index entry per candidate. Of `=`
# in place of `<=` (no row is before the first one) the planner believes that hardly a row passes, and in a storm reads
# all that waits for every claim.
_CLAIM = f"""
WITH head AS (
    SELECT d.id FROM delivery d
    WHERE d.provider = %s AND d.ended_at IS NULL AND d.urgency >= 0 AND d.next_at <= statement_timestamp()
      AND d.seq <= (SELECT min(e.seq) FROM delivery e WHERE e.lane = d.lane AND e.ended_at IS NULL)
    ORDER BY d.urgency, d.seq LIMIT %s FOR UPDATE OF d SKIP LOCKED
)
UPDATE delivery d SET
    status = CASE WHEN d.cancel_requested THEN 'cancelled' ELSE 'sending' END,
    ended_at = CASE WHEN d.cancel_requested THEN clock_timestamp() END,
    unknown = d.unknown OR d.status = 'sending',
    attempts = d.attempts + CASE WHEN d.cancel_requested THEN 0 ELSE 1 END,
    first_attempt_at = coalesce(d.first_attempt_at, clock_timestamp()),
    next_at = clock_timestamp() + %s,
    detail = d.detail || CASE WHEN d.cancel_requested THEN '{MAYBE_SENT}' ELSE '' END
FROM head WHERE d.id = head.id
RETURNING d.urgency, d.seq, d.status, d.body::text, d.attempts - 1, d.unknown, clock_timestamp() - d.created_at,
    (SELECT r.refs::text FROM receipt r WHERE r.incident_id = d.incident_id AND r.provider = d.provider),
    CASE WHEN d.provider = 'slack' THEN
        (SELECT r.refs->>'ticket_url' FROM receipt r WHERE r.incident_id = d.incident_id AND r.provider = 'ticket')
    END
"""  # noqa: S608 (constants of this package)

# By attempt, so that a courier whose lease was lost does not hold up the one that has it now.
_RENEW = """
UPDATE delivery d SET next_at = clock_timestamp() + %s
FROM unnest(%s::uuid[], %s::int[]) AS t(id, attempt)
WHERE d.id = t.id AND d.status = 'sending' AND d.attempts = t.attempt + 1
"""

_OUTCOME = Rows(
    {
        "id": "uuid",
        "status": "text",
        "attempt": "int",
        "detail": "text",
        "recorded": "bool",
        "unknown": "bool",
        "wait": "interval",
        "receipts": "json",
    }
)
# An outcome is a fact, whoever writes it; a retry counts only from whoever holds the lease. What was withdrawn
# meanwhile is not sent again, even where nobody knows whether it went out: its own acknowledge or resolve follows it.
# LATERAL, so that each row is gone to and locked by itself, in order, whatever is planned (docs/decisions/0042).
_FINISH = f"""
WITH received AS (
    INSERT INTO receipt (incident_id, provider, refs)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::jsonb[]) AS r(incident_id, provider, refs) ORDER BY 1, 2
    ON CONFLICT (incident_id, provider) DO UPDATE SET refs = receipt.refs || excluded.refs
),
locked AS (
    SELECT ended.* FROM (
        SELECT t.* FROM {_OUTCOME.source}
        CROSS JOIN LATERAL (SELECT seq FROM delivery WHERE id = t.id OFFSET 0) AS d ORDER BY d.seq
    ) AS ended
    CROSS JOIN LATERAL (SELECT FROM delivery WHERE id = ended.id FOR UPDATE) AS d
)
UPDATE delivery d SET
    status = CASE WHEN t.status = 'pending' AND d.cancel_requested THEN 'cancelled' ELSE t.status END,
    ended_at = CASE WHEN t.status <> 'pending' OR d.cancel_requested THEN clock_timestamp() END,
    unknown = d.unknown OR t.unknown,
    next_at = clock_timestamp() + t.wait,
    detail = CASE
        WHEN t.status <> 'pending' OR NOT d.cancel_requested THEN t.detail
        WHEN d.unknown OR t.unknown THEN d.detail || '{MAYBE_SENT}'
        ELSE d.detail
    END,
    recorded = t.recorded, receipts = t.receipts::json
FROM locked t WHERE d.id = t.id
  AND d.status IN ('pending', 'sending') AND (t.status <> 'pending' OR d.attempts = t.attempt + 1)
RETURNING d.lane, d.status, d.provider,
    EXISTS (SELECT FROM delivery e WHERE e.lane = d.lane AND e.seq > d.seq AND e.ended_at IS NULL)
"""  # noqa: S608 (constants of this package)
_REPORTS = """
SELECT body::text, CASE WHEN status IN ('delivered', 'refused') THEN status ELSE 'delayed' END, detail,
       coalesce(ended_at, clock_timestamp())
FROM delivery
WHERE untold
  AND (status = 'refused' OR (status = 'delivered' AND ended_at <= statement_timestamp() - %s)
       OR (status <> 'delivered' AND late_reported_at IS NULL AND created_at <= statement_timestamp() - %s))
ORDER BY status = 'delivered', created_at LIMIT %s
"""
_REPORTED = """
UPDATE delivery d SET
    reported_at = CASE WHEN t.outcome = 'delayed' THEN d.reported_at ELSE clock_timestamp() END,
    late_reported_at = CASE WHEN t.outcome = 'delayed' THEN clock_timestamp() ELSE d.late_reported_at END
FROM unnest(%s::uuid[], %s::text[]) AS t(id, outcome) WHERE d.id = t.id
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased delivery. `attempts` counts those before this one; `unknown`: one of them may have been processed;
    `age` since it was decided.
    """

    delivery: Delivery
    attempts: int
    unknown: bool
    age: timedelta
    receipts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """How a page fared, not yet told."""

    delivery: Delivery
    outcome: Literal["delivered", "refused", "delayed"]
    detail: str
    at: datetime


class _Claimed(Protocol):
    @property
    def delivery(self) -> Delivery: ...
    @property
    def attempts(self) -> int: ...


class _Report(Protocol):
    @property
    def delivery(self) -> Delivery: ...
    @property
    def outcome(self) -> Literal["delivered", "refused", "delayed"]: ...


class Outbox:
    """See agents/delivery.py for what asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, provider: str, limit: int, lease: timedelta) -> list[Claimed]:
        """Leases the heads of up to `limit` lanes, urgent ones first. A page cancelled in mid-attempt is not handed
        out again.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(_CLAIM, (provider, limit, lease))
            rows = sorted(await cursor.fetchall(), key=lambda row: row[:2])
        return [
            Claimed(DELIVERY.validate_json(body), attempts, unknown, age, _known(receipts, ticket))
            for _, _, status, body, attempts, unknown, age, receipts, ticket in rows
            if status == "sending"
        ]

    async def renew(self, claimed: Sequence[_Claimed], lease: timedelta) -> None:
        """Leases what is still being sent anew."""
        async with self._database.connection() as connection:
            held = [(one.delivery.id, one.attempts) for one in claimed]
            await connection.execute(_RENEW, (lease, *Rows.arrays(held)))

    async def finish(self, finished: Sequence[tuple[_Claimed, Outcome, timedelta | None]]) -> frozenset[Provider]:
        """Writes outcomes, and receipts for the next send. The providers of lanes that ended one of them and go on.
        Raises Conflict (try again) and Unavailable.
        """
        if not finished:
            return frozenset()
        outcomes = _OUTCOME.arrays(_row(*one) for one in finished)
        async with self._database.connection() as connection:
            written = await connection.execute(_FINISH, [*_receipts(finished), *outcomes])
            rows = await written.fetchall()
            cancelled = [lane for lane, status, _, _ in rows if status == "cancelled"]
            if cancelled:  # a crash in between sends an answer to a page that never was, which providers drop
                await connection.execute(DROP_MOOT_ANSWERS, (cancelled,))
        return frozenset(Provider(of) for _, status, of, follows in rows if follows and status != "pending")

    async def enqueue(self, delivery: Delivery) -> None:
        """Keeps a delivery that follows from no incident (a test page), so that it will be sent."""
        async with self._database.connection() as connection:
            await connection.execute(*enqueued(delivery))

    async def reports(self, limit: int, late_after: timedelta, patience: timedelta) -> list[Report]:
        """Pages of incidents not yet reported: first those refused, or late and not reported as such, then those
        delivered at least `patience` ago; else the oldest first.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(_REPORTS, (patience, late_after, limit))
            rows = await cursor.fetchall()
        return [Report(DELIVERY.validate_json(body), outcome, detail, at) for body, outcome, detail, at in rows]

    async def reported(self, reports: Sequence[_Report]) -> None:
        """Notes that these were told."""
        told = sorted((report.delivery.id, report.outcome) for report in reports)
        if told:
            async with self._database.connection() as connection:
                await connection.execute(_REPORTED, Rows.arrays(told))


def _known(receipts: str | None, ticket: str | None) -> dict[str, str]:
    """What the provider has told, and in Slack the ticket's address."""
    told: dict[str, str] = json.loads(receipts) if receipts else {}
    return {**told, "ticket_url": ticket} if ticket else told


def _row(claimed: _Claimed, outcome: Outcome, wait: timedelta | None) -> Row:
    start = (claimed.delivery.id,)
    match outcome:
        case Delivered(detail=detail, receipts=receipts, recorded=recorded):
            told = clean(json.dumps(dict(receipts), ensure_ascii=False).replace("\\u0000", "\ufffd"))
            return (*start, "delivered", claimed.attempts, clean(detail), recorded, False, timedelta(0), told)
        case Refused(reason=reason):
            return (*start, "refused", claimed.attempts, clean(reason), False, False, timedelta(0), None)
        case RetryLater(reason=reason, unknown=unknown):
            later = wait or timedelta(0)
            return (*start, "pending", claimed.attempts, clean(reason), False, unknown, later, None)


def _receipts(finished: Iterable[tuple[_Claimed, Outcome, timedelta | None]]) -> list[list[Any]]:
    """One row per incident and provider; a later receipt of the batch goes over an earlier one."""
    found: dict[tuple[uuid.UUID, str], dict[str, str]] = {}
    for claimed, outcome, _ in finished:
        if isinstance(outcome, Delivered) and outcome.receipts and claimed.delivery.incident_id is not None:
            place = (claimed.delivery.incident_id, claimed.delivery.provider.value)
            found.setdefault(place, {}).update({clean(name): clean(value) for name, value in outcome.receipts.items()})
    return Rows.arrays((*place, json.dumps(refs)) for place, refs in found.items()) or [[], [], []]
