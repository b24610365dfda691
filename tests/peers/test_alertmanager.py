"""Alertmanager as it really delivers: the token it sends, a group that fires and resolves, a retry after a refusal."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.peers.alertmanager import Receiver, StartAlertmanager

WITHIN = 20


@dataclass(frozen=True, slots=True)
class Delivered:
    authorization: str | None
    body: dict[str, Any]


class Inbox(ThreadingHTTPServer):
    """A receiver that keeps what it was sent and answers what it was told to, 200 when told nothing more."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Delivery)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.delivered: queue.Queue[Delivered] = queue.Queue()
        self.answers: queue.Queue[int] = queue.Queue()

    def next(self) -> Delivered:
        return self.delivered.get(timeout=WITHIN)


class Delivery(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = 200 if self.server.answers.empty() else self.server.answers.get()
        self.send_response(answer)
        self.end_headers()
        self.server.delivered.put(Delivered(self.headers["Authorization"], body))

    def log_message(self, *_: object) -> None:
        """Says nothing: what was delivered is in the inbox."""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_group_fires_with_the_token_and_resolves(alertmanager: StartAlertmanager, inbox: Inbox) -> None:
    peer = alertmanager(Receiver(inbox.url, token="a-token"))
    peer.fire(alertname="HighErrorRate", service="checkout", severity="critical")

    firing = inbox.next()
    assert firing.authorization == "Bearer a-token"
    assert firing.body["version"] == "4"
    assert firing.body["groupLabels"] == {"alertname": "HighErrorRate"}
    assert [alert["status"] for alert in firing.body["alerts"]] == ["firing"]

    peer.resolve(alertname="HighErrorRate", service="checkout", severity="critical")
    resolved = inbox.next()
    assert resolved.body["status"] == "resolved"
    assert resolved.body["groupKey"] == firing.body["groupKey"]
    assert resolved.body["alerts"][0]["fingerprint"] == firing.body["alerts"][0]["fingerprint"]


def test_a_503_is_sent_again_with_the_same_alerts(alertmanager: StartAlertmanager, inbox: Inbox) -> None:
    inbox.answers.put(503)
    peer = alertmanager(Receiver(inbox.url))
    peer.fire(alertname="DiskFull", instance="db-1")

    refused, retried = inbox.next(), inbox.next()
    assert refused.authorization is None
    assert retried.body["alerts"][0]["fingerprint"] == refused.body["alerts"][0]["fingerprint"]


def test_it_tells_again_after_a_restart_what_it_had_not_delivered(
    alertmanager: StartAlertmanager, inbox: Inbox
) -> None:
    inbox.answers.put(401)  # tried once per flush, so nothing more is on its way when it stops
    peer = alertmanager(Receiver(inbox.url, route={"group_interval": "1h"}))
    peer.fire(alertname="DiskFull", instance="db-2")
    inbox.next()
    peer.stop()

    peer.start()
    peer.fire(alertname="DiskFull", instance="db-2")  # Prometheus repeats itself; Alertmanager keeps no alerts on disk
    assert inbox.next().body["status"] == "firing"
