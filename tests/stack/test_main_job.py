"""The main job on the real stack: a webhook pages, escalates, is acknowledged, resolves and is followed up."""

from __future__ import annotations

from tests.stack.providers import ROUTING_KEYS
from tests.stack.stack import Stack
from tests.stack.webhooks import new_service, webhook
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


def status_page(stack: Stack, incident_id: str) -> str | None:
    """The stage that customers see."""
    shown = stack.get("/api/v2/incidents.json")["incidents"]
    return next((one["status"] for one in shown if one["id"] == incident_id), None)
