"""However often and however many at once: each incident pages once, and its messages keep their order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.peers.alertmanager import Receiver, StartAlertmanager
from tests.stack.stack import SENDER_TOKEN, Stack
from tests.stack.webhooks import URGENT, new_service, webhook
from tests.waiting import eventually

GROUPS = 200


def test_the_same_webhook_again_and_at_once_pages_once(stack: Stack) -> None:
    service = new_service("repeated")
    body = webhook(service, labels=URGENT)
    with ThreadPoolExecutor(10) as senders:
        accepted = list(senders.map(lambda _: stack.deliver(body), range(50)))
    assert len(set(accepted)) == 50, "every delivery is a delivery of its own"

    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))
    stack.deliver(webhook(service, "resolved", labels=URGENT))
    eventually(lambda: stack.incident(incident["number"])["status"] == "resolved")
    eventually(lambda: stack.providers.alerts[f"{incident['id']}/1"] == "resolved")
    assert len(stack.providers.events(incident["id"])) == 1
    assert stack.timeline(incident["number"]).count("incident_opened") == 1
    assert stack.providers.doubled() == []


def test_many_groups_at_once_are_each_paged_once_and_in_order(stack: Stack) -> None:
    storm = new_service("storm")
    services = [f"{storm}-{number}" for number in range(GROUPS)]
    with ThreadPoolExecutor(20) as senders:
        list(senders.map(lambda service: stack.deliver(webhook(service, labels=URGENT)), services))
    incidents = eventually(lambda: len(found := stack.all_incidents(storm)) == GROUPS and found, within=60)
    ids = {one["id"] for one in incidents}
    eventually(lambda: all(stack.providers.paged(ident) for ident in ids), within=60)

    with ThreadPoolExecutor(20) as senders:
        list(senders.map(lambda service: stack.deliver(webhook(service, "resolved", labels=URGENT)), services))
    eventually(lambda: all(stack.providers.alerts[f"{ident}/1"] == "resolved" for ident in ids), within=60)

    told: dict[str, list[str]] = {}
    for call, event in list(stack.providers.requests):
        if call == "enqueue":
            told.setdefault(event["dedup_key"].partition("/")[0], []).append(event["event_action"])
    assert {tuple(told[ident]) for ident in ids} == {("trigger", "resolve")}
    assert len({one["number"] for one in incidents}) == GROUPS
    assert stack.providers.doubled() == []


def test_a_real_alertmanager_delivers_resolves_and_comes_back(stack: Stack, alertmanager: StartAlertmanager) -> None:
    service = new_service("real")
    labels = {"alertname": "HighErrorRate", "service": service, "severity": "page"}
    peer = alertmanager(Receiver(f"{stack.url}/webhooks/alertmanager", token=SENDER_TOKEN))
    peer.fire(alertname="Watchdog", severity="none")
    peer.fire(**labels)
    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))
    eventually(lambda: [beat["state"] for beat in stack.get("/api/v1/heartbeats")] == ["beating"])

    peer.stop()
    peer.start()
    before = stack.incident(incident["number"])["alerts"]
    peer.fire(**labels)  # Prometheus repeats itself, and Alertmanager has forgotten its alerts
    peer.resolve(**labels)

    eventually(lambda: stack.incident(incident["number"])["status"] == "resolved", within=30)
    eventually(lambda: stack.providers.alerts[f"{incident['id']}/1"] == "resolved")
    assert len(stack.providers.events(incident["id"])) == 1
    assert stack.incident(incident["number"])["alerts"] == before


@pytest.mark.parametrize("running", ["embedded"], indirect=True)
def test_an_alertmanager_whose_webhook_is_refused_for_now_delivers_later(
    stack: Stack, alertmanager: StartAlertmanager
) -> None:
    """Web is away when the alert fires; what Alertmanager keeps trying arrives and pages once."""
    service = new_service("later")
    peer = alertmanager(Receiver(f"{stack.url}/webhooks/alertmanager", token=SENDER_TOKEN))
    stack.kill("web")
    peer.fire(alertname="HighErrorRate", service=service, severity="page")
    eventually(stack.is_ready, within=30)
    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))
    assert len(stack.providers.events(incident["id"])) == 1
