"""Deliveries as the lifecycle would decide them."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from models.deliveries import ChecklistFacts, Delivery, DeliveryKind, IncidentFacts, Message, PageFacts, Urgency
from models.oncall.handoff import HandoffNote
from models.oncall.handoff import IncidentFacts as Incident
from models.severity import Priority, Severity

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
INCIDENT_ID = uuid.UUID("11111111-2222-3333-4444-555555555555")
TEXTUAL = {
    DeliveryKind.NOTICE,
    DeliveryKind.STATUS_UPDATE,
    DeliveryKind.RESOLUTION,
    DeliveryKind.PAGE_FALLBACK,
    DeliveryKind.REMINDER,
    DeliveryKind.MENTION,
    DeliveryKind.MAINTENANCE,
    DeliveryKind.PUBLICATION,
    DeliveryKind.EMAIL_REPORT,
    DeliveryKind.EMAIL_NOTICE,
    DeliveryKind.EMAIL_UPDATE,
    DeliveryKind.EMAIL_RESOLUTION,
    DeliveryKind.TICKET_UPDATE,
    DeliveryKind.TICKET_RESOLUTION,
    DeliveryKind.HANDOFF,
    DeliveryKind.EMAIL_HANDOFF,
}
HANDOFFS = {DeliveryKind.HANDOFF, DeliveryKind.EMAIL_HANDOFF}
HOOK = PageFacts(1, "noc", "", f"{INCIDENT_ID}/1", webhook="TOCSIN_NOC_WEBHOOK")
MAILED = PageFacts(1, "noc", "", f"{INCIDENT_ID}/1", email="noc@example.test")
TURN = Message("not acknowledged", acknowledge_by=NOW + timedelta(minutes=5))
"""What a page says beside the facts."""
PAGED = {DeliveryKind.PAGE, DeliveryKind.PAGE_ACKNOWLEDGE, DeliveryKind.PAGE_RESOLVE}


def incident(**changes: Any) -> IncidentFacts:
    known: dict[str, Any] = {
        "incident_id": INCIDENT_ID,
        "number": "INC-2026-1121-001",
        "title": "Checkout fails",
        "alertname": "HighErrorRate",
        "summary": "Two of three payments fail.",
        "service": "checkout",
        "environment": "production",
        "severity": Severity.SEV1,
        "priority": Priority.P0,
        "status": "triggered",
        "stage": "investigating",
        "why": ("the error rate of 63 % is above 50 %",),
        "started_at": NOW - timedelta(minutes=7),
        "opened_at": NOW,
        "at": NOW,
        "level": "primary",
        "firing": 3,
        "alerts": 4,
        "links": {"runbook": "https://wiki.example.com/checkout", "source": "https://prometheus.example.com/graph"},
        "roles": {"incident commander": "ada", "scribe": "ben"},
        "checklist": ChecklistFacts("database-down", 3, 9, "Fail over to a replica"),
        "next_update_due": NOW + timedelta(minutes=15),
    }
    return IncidentFacts(**{**known, **changes})


NOTE = HandoffNote(
    schedule="payments",
    zone="Europe/Berlin",
    at=NOW,
    since=NOW - timedelta(days=7),
    next_at=NOW + timedelta(days=7),
    leaving=("ana",),
    coming=("ben", "cleo"),
    tell=("ana", "ben", "cleo"),
    open=(Incident("INC-1", "Checkout fails", "checkout", Severity.SEV1, NOW - timedelta(hours=1), "ana"),),
    unacknowledged=(),
    resolved=(),
    pages=3,
    mentions={"ben": "U0BEN"},
)


def delivery(
    kind: DeliveryKind, facts: IncidentFacts | None = None, text: str = "Somebody looks into it.", **changes: Any
) -> Delivery:
    known: dict[str, Any] = {
        "id": uuid.uuid4(),
        "incident_id": INCIDENT_ID,
        "incident_key": "production/checkout",
        "kind": kind,
        "lane": "lane",
        "urgency": Urgency.PROMPT,
        "incident": facts or incident(),
        "page": PageFacts(1, "primary", "TOCSIN_PAGERDUTY_ROUTING_KEY", f"{INCIDENT_ID}/1") if kind in PAGED else None,
        "handoff": NOTE if kind in HANDOFFS else None,
        "message": Message(text, by="ada", mention="ada", mention_id="U0ADA") if kind in TEXTUAL else None,
    }
    return Delivery(**{**known, **changes})
