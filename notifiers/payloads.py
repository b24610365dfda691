"""The JSON that is posted to addresses of teams: tickets and pages. What is promised of it: docs/tickets.md and
docs/webhooks.md. Sends nothing.
"""

from __future__ import annotations

from datetime import datetime

from models.deliveries import Delivery, DeliveryKind, IncidentFacts, Receipts
from notifiers.escape import plain, safe_url
from notifiers.render import Payload, TemplateFault, page_prose, prose

_FACTS = (
    "number", "title", "summary", "service", "environment", "severity", "priority", "status", "stage", "why",
    "started_at", "at", "resolved_at",
)  # fmt: skip


def ticket(delivery: Delivery, receipts: Receipts) -> Payload:
    """What the ticket system is sent."""
    told = prose(delivery)
    incident, message = delivery.incident, delivery.message
    assert incident is not None, "prose needs it"
    return {
        "event": {DeliveryKind.TICKET: "opened", DeliveryKind.TICKET_UPDATE: "updated"}.get(delivery.kind, "resolved"),
        "delivery_id": str(delivery.id),
        "ticket": receipts.get("ticket"),
        "title": told.subject,
        "text": told.text,
        "by": plain(message.by, 200) if message and message.by else None,
        "incident": _incident(incident),
    }


def page(delivery: Delivery) -> Payload:
    """What a webhook is sent that a level pages. A test page has no incident."""
    told = page_prose(delivery)
    whom, message, incident = delivery.page, delivery.message, delivery.incident
    if whom is None:
        raise TemplateFault(f"a {delivery.kind} needs its page")
    return {
        "event": "test" if whom.test else "page",
        "event_id": str(delivery.id),
        "title": told.subject,
        "text": told.text,
        "level": plain(whom.level, 200),
        "reason": plain(message.text, 300) if message else None,
        "acknowledge_by": _json(message.acknowledge_by if message else None),
        "incident": _incident(incident) if incident else None,
    }


def _incident(incident: IncidentFacts) -> Payload:
    facts = {name: _json(getattr(incident, name), lines=name == "summary") for name in _FACTS}
    links = {plain(name, 75): address for name, link in incident.links.items() if (address := safe_url(link))}
    return {"id": str(incident.incident_id), **facts, "links": links}


def _json(value: object, *, lines: bool = False) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return [plain(one, 1000) for one in value]
        case None:
            return None
        case _:
            return plain(value, 4000, lines=lines)
