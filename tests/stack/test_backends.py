"""A broker or a database that is away: said at the start, borne in mid-run, and nothing that was accepted is lost."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stack.backends import Backend
from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, encoded, new_service, webhook
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_while_the_broker_is_away_webhooks_are_answered_503(another: Stack) -> None:
    broker = Backend("broker", another)
    broker.start()
    another.kafka = broker.address()
    another.start()

    service = new_service("patient")
    body = webhook(service, labels=URGENT)
    broker.kill()
    refused = another.send(encoded(body))
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    eventually(lambda: not another.is_ready())
    broker.start()

    another.deliver_in_the_end(body)
    incident = another.incident_of(service)
    eventually(lambda: another.providers.paged(incident["id"]))
    assert len(another.providers.events(incident["id"])) == 1


def test_while_the_database_is_away_webhooks_are_accepted_and_paged_later(another: Stack) -> None:
    database = Backend("database", another)
    database.start()
    another.extra = {"TOCSIN_DATABASE_URL": database.url()}
    another.start()

    service = new_service("patient")
    database.kill()
    another.deliver(webhook(service, labels=URGENT))
    assert another.client.get("/api/v1/incidents").status_code == 503
    eventually(lambda: not another.is_ready())
    database.start()

    eventually(another.is_ready, within=20)
    incident = another.incident_of(service)
    eventually(lambda: another.providers.paged(incident["id"]))
    assert len(another.providers.events(incident["id"])) == 1


@pytest.mark.parametrize("name", ["broker", "database"])
def test_a_stop_while_a_backend_is_away_ends_all_the_same(another: Stack, name: str) -> None:
    backend = Backend(name, another)
    backend.start()
    if name == "broker":
        another.kafka = backend.address()
    else:
        another.extra = {"TOCSIN_DATABASE_URL": backend.url()}
    another.start()
    backend.kill()
    eventually(lambda: not another.is_ready())
    assert another.up is not None
    os.kill(another.up.pid, signal.SIGINT)
    assert another.up.end(within=60) == 0


@pytest.mark.parametrize("name", ["broker", "database"])
def test_a_backend_that_is_away_at_the_start_is_said_and_waited_for(another: Stack, name: str) -> None:
    backend = Backend(name, another)
    backend.start()
    place = backend.address()
    if name == "broker":
        another.kafka = place
    else:
        another.extra = {"TOCSIN_DATABASE_URL": backend.url()}
    backend.kill()
    another.launch()
    assert another.up is not None
    eventually(lambda: place in another.output() or another.output().count("starting it again") > 0, within=40)
    backend.start()
    another.wait_until_ready()
    service = new_service("first")
    another.deliver(webhook(service, labels=URGENT))
    incident = another.incident_of(service)
    eventually(lambda: another.providers.paged(incident["id"]))
