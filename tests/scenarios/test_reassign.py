"""A policy that is changed in mid-incident touches it when a person says so, and pages nobody twice."""

from __future__ import annotations

from datetime import timedelta

from models.deliveries import DeliveryKind, Provider
from models.escalation_events import PolicyReassigned
from models.severity import Severity
from tests.scenarios.oncall import policy
from tests.world import World, is_down, takes

ANA, BEN = "{name: first, targets: [{person: ana}]}", "{name: second, targets: [{person: ben}]}"
NOC = "{name: noc, routing_key: TOCSIN_NOC}"
OTHER = (
    "escalations:\n  other: {levels: [{name: first, targets: [{person: ben}]}, {name: noc, routing_key: TOCSIN_NOC}]}\n"
)
BEFORE = policy(ANA, BEN) + OTHER


def keys(world: World) -> list[str]:
    return [one.page.routing_key for one in world.sent if one.kind is DeliveryKind.PAGE and one.page]


def opened(text: str = BEFORE) -> World:
    world = World(text)
    world.alert()
    return world


def sooner(text: str, minutes: int) -> str:
    return text.replace("SEV1: 5m", f"SEV1: {minutes}m", 1)


def test_a_policy_that_is_changed_does_not_touch_what_is_open_until_a_person_says_so() -> None:
    assert sooner(BEFORE, 3) != BEFORE
    world = opened()
    world.adopt(sooner(policy(ANA, NOC), 3))
    world.advance(minutes=1)
    before = world.incident.policy_version
    world.reassign()
    assert world.incident.policy_version == world.version != before
    assert keys(world) == ["TOCSIN_KEY_ANA"], "ana is paged already"
    world.advance(minutes=1, seconds=59)
    assert keys(world) == ["TOCSIN_KEY_ANA"]
    world.advance(seconds=2)
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_NOC"], "three minutes after ana could know, by the new policy"
    [event] = [one.event for _, one in world.store.log if isinstance(one.event, PolicyReassigned)]
    assert (event.by, event.was, event.chain) == ("ana", before, None)
    assert any("Goes by policy version" in text for text in world.said(DeliveryKind.NOTICE))


def test_a_clock_that_would_be_over_pages_the_next_level_now() -> None:
    world = opened()
    world.advance(minutes=4)
    world.adopt(sooner(BEFORE, 2))
    world.reassign()
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN"]


def test_the_clock_is_counted_from_when_they_could_know() -> None:
    world = opened()
    world.resolve()
    world.answers[Provider.PAGERDUTY] = is_down
    world.advance(hours=1)
    world.alert("Other")
    world.advance(minutes=1)
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(minutes=1)
    heard_at = world.incident.heard_at
    assert heard_at is not None
    world.adopt(sooner(BEFORE, 4))
    world.reassign()
    assert world.incident.deadlines["acknowledge"].due_at == heard_at + timedelta(minutes=4)


def test_another_chain_pages_its_first_level_at_once() -> None:
    world = opened()
    world.advance(minutes=1)
    world.reassign("other")
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN"]
    assert world.incident.chain == "other"
    world.advance(minutes=5, seconds=1)
    assert keys(world)[2:] == ["TOCSIN_NOC"]
    world.reassign("other")
    assert len(keys(world)) == 3, "it is so already"


def test_who_is_paged_already_is_not_paged_again_by_another_chain() -> None:
    same = BEFORE.replace("first, targets: [{person: ben}]}, ", "first, targets: [{person: ana}]}, ")
    world = opened(same)
    world.reassign("other")
    assert keys(world) == ["TOCSIN_KEY_ANA"]
    world.advance(minutes=5, seconds=1)
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_NOC"], "and then it goes on along the other chain"


def test_what_somebody_has_stays_theirs() -> None:
    world = opened()
    world.acknowledge("ben")
    world.reassign("other")
    assert (world.incident.status, world.incident.acknowledged_by) == ("acknowledged", "ben")
    world.advance(hours=3)
    assert keys(world) == ["TOCSIN_KEY_ANA"]
    world.escalate("noc")
    assert keys(world)[1:] == ["TOCSIN_NOC"]


def test_an_acknowledgement_expires_by_the_new_policy() -> None:
    world = opened(BEFORE + "acknowledgement_expires: {SEV1: 2h}\n")
    world.acknowledge()
    world.advance(minutes=10)
    world.adopt(BEFORE + "acknowledgement_expires: {SEV1: 30m}\n")
    world.reassign()
    world.advance(minutes=20)
    assert world.log.count("level_paged") == 2


def test_after_the_end_of_a_chain_another_begins() -> None:
    world = opened(policy(ANA, rounds=1) + OTHER)
    world.advance(minutes=10)
    assert "escalation_exhausted" in world.log
    world.reassign("other")
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN"]


def test_what_pages_nobody_pages_by_the_new_policy_where_that_does() -> None:
    world = World(BEFORE)
    world.declare(Severity.SEV3)
    assert keys(world) == []
    world.adopt(BEFORE.replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}"))
    world.reassign()
    assert keys(world) == [], "its priority stays"
    world.adopt(BEFORE.replace("P2: [slack, ticket]", "P2: [page, slack, ticket]"))
    world.reassign()
    assert len(keys(world)) == 1


def test_a_chain_that_nobody_knows_and_a_resolved_incident_change_nothing() -> None:
    world = opened()
    world.reassign("nowhere")
    world.resolve()
    world.reassign("other")
    assert "policy_reassigned" not in world.log
