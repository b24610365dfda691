"""Alerts that come and go: damped, never forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.deliveries import DeliveryKind, Provider
from models.escalation_events import LevelPaged
from models.explanation import explain
from models.step import Logged
from tests.world import DEFAULT, World

OFF = "\n".join(line for line in DEFAULT.splitlines() if not line.startswith("flapping:"))


def turn(world: World, *, minutes: float = 2) -> None:
    """It resolves, and fires again after a while."""
    world.alert(status="resolved")
    world.advance(minutes=minutes)
    world.alert(started=world.now)


def flapping(*, acknowledged: bool = True) -> World:
    """Reopened three times, and still firing."""
    world = World()
    world.alert()
    for _ in range(3):
        turn(world)
    if acknowledged:
        world.acknowledge()
    return world


def logged(world: World) -> list[Logged]:
    return [entry for owner, entry in world.store.log if owner == str(world.incident.id)]


def test_reopened_too_often_it_says_so_once_and_pages_nobody_anew() -> None:
    world = flapping()
    assert world.pages == ["primary"] * 4
    for _ in range(20):
        turn(world, minutes=10)
        assert world.incident.status == "acknowledged"
    assert world.pages == ["primary"] * 4
    assert sum("Flapping: reopened 3 times" in text for text in world.said(DeliveryKind.NOTICE)) == 1
    assert world.log.count("flapping_began") == 1
    assert world.log.count("calm_broken") == 20


def test_after_the_calm_it_is_resolved_as_ever() -> None:
    world = flapping()
    world.alert(status="resolved")
    world.advance(minutes=29)
    assert world.incident.is_open
    assert "calm" in world.incident.deadlines
    world.advance(minutes=1)
    assert world.incident.status == "resolved"
    assert "postmortem" in world.incident.deadlines
    assert DeliveryKind.PAGE_RESOLVE in world.kinds(Provider.PAGERDUTY)
    assert world.incident.flaps.since is None


def test_a_calm_that_is_broken_begins_anew() -> None:
    world = flapping()
    turn(world, minutes=29)
    assert "calm" not in world.incident.deadlines
    world.advance(hours=1)
    assert world.incident.is_open, "it fires"
    world.alert(status="resolved")
    world.advance(minutes=29)
    assert world.incident.is_open
    world.advance(minutes=1)
    assert world.incident.status == "resolved"


def test_a_firing_that_is_not_listed_breaks_the_calm_too() -> None:
    world = flapping()
    world.alert(status="resolved")
    world.alert(pods=["pod-9"], status="resolved", group_status="firing", truncated=3)
    assert "calm" not in world.incident.deadlines
    assert "stale" in world.incident.deadlines, "their silence is remarked like that of any other"
    world.advance(hours=2)
    assert world.incident.is_open
    world.alert(status="resolved")
    world.advance(minutes=30)
    assert world.incident.status == "resolved"


def test_nobody_has_it_so_it_escalates_while_it_is_held() -> None:
    world = flapping(acknowledged=False)
    world.alert(status="resolved")
    world.advance(minutes=12)
    assert world.pages[4:] == ["secondary", "manager"]


def test_a_person_ends_it() -> None:
    world = flapping()
    world.alert(status="resolved")
    world.resolve()
    assert world.incident.status == "resolved"
    assert "calm" not in world.incident.deadlines
    turns = len(world.pages)
    world.alert(started=world.now)
    world.alert(status="resolved")
    assert len(world.pages) == turns + 1, "it pages anew"
    assert world.incident.status == "resolved", "and is not held"


def test_worse_than_before_pages_also_while_it_flaps() -> None:
    world = World()
    world.alert(labels={"severity": "page"})
    for _ in range(3):
        world.alert(status="resolved", labels={"severity": "page"})
        world.advance(minutes=2)
        world.alert(started=world.now, labels={"severity": "page"})
    world.acknowledge()
    world.alert(status="resolved", labels={"severity": "page"})
    world.advance(minutes=2)
    pages = len(world.pages)
    world.alert(started=world.now, labels={"severity": "critical"})
    assert len(world.pages) == pages + 1
    assert world.incident.status == "triggered"


def test_after_a_calm_it_flaps_at_once_while_the_turns_are_recent() -> None:
    world = flapping()
    world.alert(status="resolved")
    world.advance(minutes=40)
    assert world.incident.status == "resolved"
    world.alert(started=world.now)
    assert world.log.count("flapping_began") == 2
    assert world.pages == ["primary"] * 5


def test_slow_turns_are_not_flapping() -> None:
    world = World()
    world.alert()
    for _ in range(6):
        turn(world, minutes=29)
        world.advance(minutes=5)
    assert "flapping_began" not in world.log
    assert world.log.count("incident_reopened") == 6


def test_a_policy_without_it_pages_for_every_turn() -> None:
    world = World(OFF)
    world.alert()
    for _ in range(6):
        turn(world)
    assert world.pages == ["primary"] * 7
    assert "flapping_began" not in world.log


def test_what_is_attached_to_another_is_not_held_and_so_never_pages_for_what_is_over() -> None:
    catalogue = "services: {database: {tier: 1}, checkout: {dependencies: [database]}}"
    world = World(DEFAULT.replace("services: {}", catalogue))
    world.alert("DatabaseDown", group="db", labels={"service": "database"})
    for _ in range(4):
        world.alert(labels={"severity": "page"})
        world.alert(labels={"severity": "page"}, status="resolved")
        assert world.about("checkout").status == "resolved"
        world.advance(minutes=1)
    assert "flapping_began" not in [entry.event.kind for _, entry in world.store.log]
    assert world.pages == ["primary"]


def test_what_flaps_and_is_merged_still_ends_with_its_calm() -> None:
    world = flapping()
    world.alert(status="resolved")
    world.advance(minutes=1)
    world.alert("DatabaseDown", group="db", labels={"service": "database"})
    world.merge("checkout", "database")
    world.alert(started=world.now)
    assert "calm" not in world.about("checkout").deadlines
    world.alert(status="resolved")
    assert world.about("checkout").status == "resolved"


def test_it_is_explained() -> None:
    world = flapping()
    world.alert(status="resolved")
    said = [reason.text for reason in explain(world.incident, logged(world), world.policy)]
    assert any("Flapping: reopened 3 times since 03:02 UTC" in text for text in said)
    assert any(text.startswith("it stays open, if nothing fires again, until 2026-03-02 03:36") for text in said)


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.integers(5, 900), st.integers(5, 2400)),  # seconds that it fires, and does not
        min_size=5,
        max_size=40,
    ),
    taken=st.booleans(),
)
def test_one_flapping_alert_pages_a_few_times_an_hour_and_is_never_forgotten(
    turns: list[tuple[int, int]], *, taken: bool
) -> None:
    world = World()
    for fires, rests in turns:
        world.alert(started=world.now)
        if taken:
            world.acknowledge()
        world.advance(seconds=fires)
        world.alert(status="resolved")
        assert not world.incident.is_open or "calm" in world.incident.deadlines
        world.advance(seconds=rests)
    begun = [entry.at for _, entry in world.store.log if _begins(entry)]
    assert most_in_an_hour(begun) <= 8
    paged = [entry.at for _, entry in world.store.log if isinstance(entry.event, LevelPaged)]
    assert most_in_an_hour(paged) <= (8 if taken else 8 + 12), "and at most a level every five minutes"
    world.advance(minutes=31)
    assert not world.incident.is_open


def _begins(entry: Logged) -> bool:
    return isinstance(entry.event, LevelPaged) and entry.event.reason in {"opened", "reopened"}


def most_in_an_hour(instants: list[datetime]) -> int:
    hour = timedelta(hours=1)
    return max(sum(first <= at < first + hour for at in instants) for first in instants)
