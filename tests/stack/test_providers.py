"""Providers that misbehave: every page arrives once in effect, and no Slack message stands there twice."""

from __future__ import annotations

import pytest

from tests.notifiers.peer import Fault
from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, new_service, webhook
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("running", ["embedded"], indirect=True)

LIMITED = Fault("limited", status=429, headers={"Retry-After": "1"}, body={"ok": False, "error": "ratelimited"})
FAULTS = [
    LIMITED,
    Fault("error", status=500),
    Fault("reset after", reset=True, processed=True),
    Fault("truncated", truncate=True, processed=True),
    Fault("silence", hold=True, processed=True),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faulty_provider_is_told_once_in_effect(stack: Stack, fault: Fault) -> None:
    service, peer = new_service("faulty"), stack.providers
    peer.befall("enqueue", fault)
    peer.befall("chat.postMessage", fault, fault)
    stack.deliver(webhook(service, labels=URGENT))

    incident = stack.incident_of(service)
    page = f"{incident['id']}/1"
    eventually(lambda: deliveries(stack, incident["number"]) == {"delivered"}, within=60)
    assert peer.paged(incident["id"]) == [page]
    assert {key for _, key in peer.events(incident["id"])} == {page}, "tried again under the same key"
    assert peer.faults == {"enqueue": [], "chat.postMessage": []}, "every fault was met"
    assert peer.doubled() == []
    eventually(lambda: stack.incident(incident["number"])["pages"][0]["received"])


def test_a_provider_that_is_down_holds_up_nothing_else_and_gets_everything_later(stack: Stack) -> None:
    peer, services = stack.providers, [new_service("down") for _ in range(5)]
    peer.befall("enqueue", *[Fault("down", status=503)] * 1000)
    for service in services:
        stack.deliver(webhook(service, labels=URGENT))
    incidents = [stack.incident_of(service) for service in services]
    eventually(lambda: all(peer.incident_messages(one["number"]) for one in incidents))
    assert not any(peer.paged(one["id"]) for one in incidents), "Slack knows while PagerDuty is still down"
    tried = 1000 - len(peer.faults["enqueue"])
    peer.faults.clear()
    eventually(lambda: all(len(peer.paged(one["id"])) == 1 for one in incidents), within=35)
    assert tried < 50, "a provider that is down is not hammered"
    assert peer.doubled() == []


def test_a_ticket_is_opened_once_and_told_the_rest(stack: Stack) -> None:
    """POLICY 19, with a lost answer on the way."""
    peer, service = stack.providers, new_service("ticket")
    peer.befall("tickets", Fault("reset after", reset=True, processed=True))
    stack.deliver(webhook(service, labels={"severity": "warning"}))
    incident = stack.incident_of(service)
    eventually(lambda: deliveries(stack, incident["number"]) == {"delivered"}, within=30)
    stack.deliver(webhook(service, labels={"severity": "warning"}, status="resolved"))
    eventually(lambda: [one["event"] for one in told(stack, service)] == ["opened", "resolved"], within=30)
    assert {one["ticket"] for one in told(stack, service)[1:]} == {number_of(stack, service)}


def test_a_mail_is_sent_and_its_thread_ends(stack: Stack) -> None:
    """POLICY 4, 16: P1 is mailed."""
    service = new_service("mail")
    stack.deliver(webhook(service, labels=URGENT))
    number = stack.incident_of(service)["number"]
    stack.deliver(webhook(service, labels=URGENT, status="resolved"))
    subject = f"[{number}] HighErrorRate on {service}"
    eventually(lambda: _subjects(stack, number) == [subject, f"Re: {subject}"], within=30)


def _subjects(stack: Stack, number: str) -> list[str]:
    return [subject for mail in stack.providers.mailbox.read if number in (subject := str(mail["Subject"]))]


def told(stack: Stack, service: str) -> list[dict]:
    """What the ticket system holds of a service, in order."""
    return [
        one
        for ticket in list(stack.providers.tickets.values())
        for one in ticket
        if one["incident"]["service"] == service
    ]


def number_of(stack: Stack, service: str) -> str:
    tickets = stack.providers.tickets.items()
    [number] = [number for number, said in tickets if said[0]["incident"]["service"] == service]
    return number


def deliveries(stack: Stack, number: str) -> set[str]:
    return {one["status"] for one in stack.get(f"/api/v1/incidents/{number}/deliveries")}
