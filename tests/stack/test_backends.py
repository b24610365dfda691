"""A broker or a database that is away: said at the start, borne in mid-run and at a stop, and nothing that was accepted
is lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.stack.backends import Backend
from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, encoded, new_service, webhook
from tests.waiting import eventually, side_by_side

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
    assert_stops_without(broker)


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
    assert_stops_without(database)


def assert_stops_without(backend: Backend) -> None:
    """A stop while it is away ends all the same."""
    stack = backend.stack
    backend.kill()
    eventually(lambda: not stack.is_ready())
    assert stack.up is not None
    os.kill(stack.up.pid, signal.SIGINT)
    assert stack.up.end(within=60) == 0


def test_a_backend_that_is_away_at_the_start_is_said_and_waited_for(others: Callable[[], Stack]) -> None:
    def is_waited_for(backend: Backend) -> None:
        stack, place = backend.stack, backend.address()
        backend.start()
        if backend.name == "broker":
            stack.kafka = place
        else:
            stack.extra = {"TOCSIN_DATABASE_URL": backend.url()}
        backend.kill()
        stack.launch()
        eventually(lambda: place in stack.output() or stack.output().count("starting it again") > 0, within=40)
        backend.start()
        stack.wait_until_ready()
        service = new_service("first")
        stack.deliver(webhook(service, labels=URGENT))
        incident = stack.incident_of(service)
        eventually(lambda: stack.providers.paged(incident["id"]))

    side_by_side(is_waited_for, [Backend(name, others()) for name in ("broker", "database")])
