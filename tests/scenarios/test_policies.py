"""Stories of a policy that changes while incidents live: each keeps the one that it was opened under."""

from __future__ import annotations

from datetime import timedelta

from models.severity import Priority, Severity
from tests.world import DEFAULT, World

QUIET = DEFAULT.replace("SEV1: {1: P0, 2: P0, 3: P1}", "SEV1: {1: P3, 2: P3, 3: P3}")
LONG = DEFAULT.replace("reopen_within: 30m", "reopen_within: 10h")
SHORT = DEFAULT.replace("reopen_within: 30m", "reopen_within: 1m")


def test_late_alerts_raise_by_the_matrix_of_the_incident() -> None:
    world = World()
    world.alert(labels={"severity": "warning"})
    assert world.pages == []
    world.adopt(QUIET)
    world.alert(pods=["pod-1"])
    assert (world.incident.severity, world.incident.priority) == (Severity.SEV1, Priority.P0)
    assert world.pages == ["primary"]


def test_an_incident_reopens_by_its_own_matrix() -> None:
    world = World(text=QUIET)
    world.alert()
    world.alert(status="resolved")
    world.adopt(DEFAULT)
    world.alert()
    assert world.incident.generation == 1
    assert world.pages == []


def test_the_window_is_that_of_the_policy_it_was_opened_under_and_the_next_generation_has_its_own() -> None:
    for text, generation in ((LONG, 2), (SHORT, 2)):
        world = World()
        world.alert()
        world.alert(status="resolved")
        world.adopt(text)
        world.advance(minutes=31)
        world.alert()
        assert world.incident.generation == generation
        assert world.incident.policy_version == world.version


def test_a_shorter_window_does_not_shorten_that_of_an_older_incident() -> None:
    world = World()
    world.alert()
    world.alert(status="resolved")
    assert world.incident.reopen_until == world.now + timedelta(minutes=30)
    world.adopt(SHORT)
    world.advance(minutes=29)
    world.alert()
    assert (world.incident.generation, world.incident.policy_version) != (1, world.version)
    assert world.incident.generation == 1


def test_what_is_declared_anew_is_judged_by_the_policy_it_keeps() -> None:
    world = World()
    world.declare(Severity.SEV1)
    assert world.pages == ["primary"]
    key = world.incident.key
    world.resolve()
    world.adopt(DEFAULT.replace("name: primary", "name: first"))
    world.declare(Severity.SEV1, key=key)
    assert world.incident.generation == 2
    assert world.pages == ["primary", "first"]
