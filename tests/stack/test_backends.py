"""A broker or a database that is away: said at the start, borne in mid-run, and nothing that was accepted is lost."""

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


@pytest.fixture
def backends(others: Callable[[], Stack]) -> tuple[Backend, Backend]:
    """A broker and a database that are up, each with a stack of its own that is told to use it."""
    broker, database = Backend("broker", others()), Backend("database", others())
    side_by_side(Backend.start, (broker, database))
    broker.stack.kafka = broker.address()
    database.stack.extra = {"TOCSIN_DATABASE_URL": database.url()}
    return broker, database


def test_a_stop_while_a_backend_is_away_ends_all_the_same(backends: tuple[Backend, Backend]) -> None:
    def ends(backend: Backend) -> None:
        stack = backend.stack
        stack.start()
        service = new_service("paged")
        stack.deliver(webhook(service, labels=URGENT))
        incident = stack.incident_of(service)
        eventually(lambda: stack.providers.paged(incident["id"]))
        backend.kill()  # with receipts and a feed still to be published
        eventually(lambda: not stack.is_ready())
        assert stack.up is not None
        os.kill(stack.up.pid, signal.SIGINT)
        assert stack.up.end(within=60) == 0
        assert "cut off" not in stack.output()

    side_by_side(ends, backends)


def test_a_backend_that_is_away_at_the_start_is_said_and_waited_for(backends: tuple[Backend, Backend]) -> None:
    def is_waited_for(backend: Backend) -> None:
        stack, place = backend.stack, backend.address()
        backend.kill()
        stack.launch()
        eventually(lambda: place in stack.output() or stack.output().count("starting it again") > 0, within=40)
        backend.start()
        stack.wait_until_ready()
        service = new_service("first")
        stack.deliver(webhook(service, labels=URGENT))
        incident = stack.incident_of(service)
        eventually(lambda: stack.providers.paged(incident["id"]))

    side_by_side(is_waited_for, backends)
