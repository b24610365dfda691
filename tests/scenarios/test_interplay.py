"""What belongs together, who may be woken, and who has it, all at once: one page, and never none."""

from __future__ import annotations

from datetime import UTC, datetime

from models.deliveries import DeliveryKind
from tests.evidence import findings
from tests.scenarios.oncall import policy
from tests.scenarios.test_after_hours import pages_sev3
from tests.scenarios.test_correlation import POLICY, fires, paged
from tests.world import World

EXPIRES = "acknowledgement_expires: {SEV2: 1h}\n"
ANA, BEN = "{name: ana, targets: [{person: ana}]}", "{name: ben, targets: [{person: ben}]}"


def errors_for_a_while(world: World) -> None:
    """Three in ten fail, which is a SEV2 once it has lasted."""
    labels = {"service": "checkout", "severity": ""}
    world.alert("Rate", group="rate", labels=labels, annotations={"error_rate": "30%"})
    assert world.about("checkout").pending


def test_what_was_merged_and_became_worse_than_the_other_pages_for_itself() -> None:
    world = World(POLICY)
    fires(world, "other", "low")
    fires(world, "checkout")
    world.merge("checkout", into="other")
    assert paged(world) == ["checkout"]
    fires(world, "checkout", "critical")
    assert paged(world) == ["checkout", "checkout"]
    assert world.about("checkout").parent is None


def test_who_merged_is_asked_again_once_the_other_is_over() -> None:
    world = World(POLICY + EXPIRES)
    fires(world, "other")
    fires(world, "checkout")
    world.merge("checkout", into="other")
    fires(world, "other", status="resolved")
    world.advance(minutes=6)
    assert world.about("checkout").parent is None
    world.advance(hours=2)
    assert paged(world)[2:], "an acknowledgement does not hold for ever because of what is over"


def test_a_condition_that_lasts_stays_with_what_pages_for_it() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    errors_for_a_while(world)
    assert world.about("checkout").parent
    world.advance(minutes=6)
    assert world.about("checkout").severity == "SEV2"
    assert "checkout" not in paged(world)


def test_a_condition_that_has_lasted_is_attached_to_what_pages_by_then() -> None:
    world = World(POLICY)
    errors_for_a_while(world)
    assert world.about("checkout").parent is None
    fires(world, "database", "critical")
    world.advance(minutes=6)
    assert world.about("checkout").parent == world.about("database").key
    assert "checkout" not in paged(world)


def test_what_a_frozen_incident_hands_on_makes_it_no_worse() -> None:
    world = World()
    world.alert(labels={"severity": "page"})
    world.freeze()
    first = world.incident
    world.advance(seconds=1)
    world.alert(pods=["pod-0", "pod-1"], labels={"severity": "critical"})
    assert world.store.incidents_by_id[first.id].severity == "SEV2"
    assert world.incident.severity == "SEV1"
    assert world.pages == ["primary", "primary"]


def test_what_waits_for_business_hours_answers_for_nobody_who_does_not() -> None:
    services = "{database: {owner: payments}, checkout: {owner: network, dependencies: [database]}}"
    world = World(pages_sev3(policy(ANA, BEN, services=services)))
    fires(world, "database", "warning")
    assert "wake" in world.about("database").deadlines
    fires(world, "checkout", "warning")
    assert paged(world) == ["checkout"]


def test_what_pages_when_business_hours_begin_is_attached_to_what_pages_already() -> None:
    services = "{database: {owner: payments}, checkout: {owner: payments, dependencies: [database]}}"
    world = World(pages_sev3(policy(ANA, BEN, services=services)))
    fires(world, "checkout", "warning")
    fires(world, "database", "critical")
    world.advance(seconds=(datetime(2026, 3, 2, 8, 0, tzinfo=UTC) - world.now).total_seconds())
    assert "checkout" not in paged(world)
    assert world.about("checkout").parent == world.about("database").key


def test_who_takes_it_again_while_its_page_is_held_is_not_paged_at_the_end() -> None:
    world = World(policy(ANA, BEN) + EXPIRES)
    fires(world, "checkout")
    world.acknowledge()
    world.plan_maintenance(lasting=4)
    world.advance(hours=2)
    assert "wake" in world.about("checkout").deadlines
    world.advance(hours=1, minutes=30)
    world.acknowledge()
    world.advance(minutes=40)
    assert paged(world) == ["checkout"]
    assert findings(world.store, world.about("checkout").id, world.policy) == []


def test_a_level_that_mentions_others_is_another_level() -> None:
    cleo = "{name: first, targets: [{person: cleo}]}"
    people = "  cleo: {slack: U0CLEO}\n  eve: {slack: U0EVE}"
    text = policy(cleo)
    text = text.replace("  cleo: {slack: U0CLEO}", people)
    world = World(text)
    world.alert()
    assert world.said(DeliveryKind.MENTION)
    world.adopt(text.replace("{person: cleo}", "{person: eve}"))
    world.reassign()
    assert len(world.said(DeliveryKind.MENTION)) == 2


def test_what_is_handed_on_again_is_not_told_again() -> None:
    world = World()
    world.alert()
    world.freeze()
    for _ in range(3):
        world.advance(minutes=5)
        world.alert(pods=["pod-0", "pod-1"])
    assert sum("because this one is frozen" in text for text in world.said(DeliveryKind.NOTICE)) == 1
