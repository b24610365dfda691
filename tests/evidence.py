"""What `tocsin verify` would read from the database, read from a store in memory."""

from __future__ import annotations

import uuid

from models import wire
from models.deliveries import DeliveryKind
from models.findings import ArmedRow, Case, Finding, LogRow, SentRow, Terms
from models.policy import Policy
from models.verification import verify
from tests.memory import MemoryStore, Sent

_PAGES = {DeliveryKind.PAGE, DeliveryKind.PAGE_ACKNOWLEDGE, DeliveryKind.PAGE_RESOLVE}


def findings(store: MemoryStore, incident_id: uuid.UUID, policy: Policy) -> list[Finding]:
    """All that is wrong with an incident, by the log."""
    now = store.now()
    return verify(case_of(store, incident_id), Terms(policy, now, kept_since=store.log[0][1].at))


def case_of(store: MemoryStore, incident_id: uuid.UUID) -> Case:
    owner, incident = str(incident_id), store.incidents_by_id[incident_id]
    return Case(
        id=incident_id,
        number=incident.number,
        incident=incident,
        log=_rows(store, "incident.signals", owner),
        review=store.reviews_by_key.get(owner),
        review_log=_rows(store, "review.signals", owner),
        deadlines=tuple(
            ArmedRow(row.id, row.name, row.due_at, row.status.value, row.ended_at)
            for row in store.ledger.values()
            if row.owner == owner
        ),
        deliveries=tuple(
            _sent(sent)
            for sent in store.outbox
            if sent.delivery.incident_id == incident_id and sent.delivery.kind in _PAGES
        ),
    )


def _rows(store: MemoryStore, topic: str, owner: str) -> tuple[LogRow, ...]:
    log = store.log if topic == "incident.signals" else store.review_log
    return tuple(
        LogRow(entry.seq, entry.at, store.causes[topic, owner, entry.seq], wire.encode(entry.event).decode())
        for its_owner, entry in log
        if its_owner == owner
    )


def _sent(sent: Sent) -> SentRow:
    """The clock stands still while something is sent: its attempt began when it ended."""
    return SentRow(
        id=sent.delivery.id,
        kind=sent.delivery.kind,
        lane=sent.delivery.lane,
        ordinal=sent.delivery.page.ordinal if sent.delivery.page else None,
        status=sent.status,
        attempts=sent.attempts,
        unknown=sent.unknown,
        detail=sent.detail,
        created_at=sent.created_at or sent.ended_at,  # type: ignore[arg-type]
        first_attempt_at=sent.ended_at if sent.attempts else None,
        ended_at=sent.ended_at,
    )
