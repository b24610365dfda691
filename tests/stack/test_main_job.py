"""The main job on the real stack: a webhook pages, escalates, is acknowledged, resolves and is followed up."""

from __future__ import annotations

from uuid import uuid4

from tests.stack.providers import ROUTING_KEYS
from tests.stack.stack import PAGERDUTY_SECRET, Stack
from tests.stack.webhooks import acknowledged_in_pagerduty, new_service, webhook
from tests.waiting import eventually

PRIMARY, SECONDARY = ROUTING_KEYS["primary"], ROUTING_KEYS["secondary"]


def test_an_alert_pages_escalates_is_acknowledged_and_resolves(stack: Stack) -> None:
    service, pagerduty = new_service("checkout"), stack.providers
    stack.deliver(webhook(service, pods=2))
    opened = stack.incident_of(service)
    number, ident = opened["number"], opened["id"]
    assert (opened["severity"], opened["priority"]) == ("SEV1", "P0")
    assert opened["why"]

    first, second = f"{ident}/1", f"{ident}/2"
    eventually(lambda: pagerduty.events(ident) == [(PRIMARY, first), (SECONDARY, second)], within=20)
    answer = stack.tell(f"/api/v1/incidents/{number}/acknowledge", by="sam")
    assert answer["incident"]["status"] == "acknowledged"
    eventually(lambda: [pagerduty.alerts.get(key) for key in (first, second)] == ["acknowledged"] * 2)
    eventually(lambda: status_page(stack, ident) == "investigating")

    stack.deliver(webhook(service, "resolved", pods=2))
    eventually(lambda: stack.incident(number)["status"] == "resolved")
    eventually(lambda: [pagerduty.alerts.get(key) for key in (first, second)] == ["resolved"] * 2)
    eventually(lambda: status_page(stack, ident) == "resolved")
    [owed] = eventually(lambda: [one for one in stack.get("/api/v1/postmortems") if one["number"] == number])
    assert owed["status"] == "open"

    assert len(pagerduty.events(ident)) == 2, "one trigger per page, and no third level"
    armed = [one for one in stack.get(f"/api/v1/incidents/{number}/deadlines") if one["status"] == "pending"]
    assert all(one["name"].startswith("postmortem") for one in armed)
    eventually(lambda: any(number in text for text in pagerduty.incident_messages(number)))
    assert pagerduty.doubled() == []


def test_an_acknowledgement_in_pagerduty_stops_the_escalation(stack: Stack) -> None:
    service = new_service("search")
    stack.deliver(webhook(service))
    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))

    webhook_id, body = str(uuid4()), acknowledged_in_pagerduty(f"{incident['id']}/1")
    assert stack.send_pagerduty(body, "wrong secret", webhook_id) == 401
    assert stack.send_pagerduty(body, PAGERDUTY_SECRET, webhook_id) == 200
    assert stack.send_pagerduty(body, PAGERDUTY_SECRET, webhook_id) == 200

    acknowledged = eventually(lambda: (now := stack.incident(incident["number"]))["acknowledged_by"] and now)
    assert acknowledged["acknowledged_by"] == "Sam Field"
    clocks = stack.get(f"/api/v1/incidents/{incident['number']}/deadlines")
    assert not [one for one in clocks if one["status"] == "pending" and "ack" in one["name"]]
    assert stack.timeline(incident["number"]).count("acknowledged") == 1


def status_page(stack: Stack, incident_id: str) -> str | None:
    """The stage that customers see."""
    shown = stack.get("/api/v2/incidents.json")["incidents"]
    return next((one["status"] for one in shown if one["id"] == incident_id), None)
