"""Stories of roles: who takes them, who is told, and what is said while nobody leads. POLICY 15."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.deliveries import DeliveryKind, Provider
from models.policy_file import PolicyError
from models.role import Role
from models.severity import Severity
from tests.scenarios.test_updates import CHAIN
from tests.world import DEFAULT, T0, World

PEOPLE = DEFAULT.replace("people: {}", "people: {ana: {slack: U0ANA}, ben: {slack: U0BEN}}")
LED = PEOPLE.replace("roles: #", "roles:\n  incident_commander: {severities: [SEV1], person: ben}\n#")


def calls(world: World) -> list[tuple[int, str | None]]:
    """Minute and addressee of every call for a commander."""
    return [
        (int((one.incident.at - T0).total_seconds() // 60), one.message.mention)
        for one in world.sent
        if one.message and one.incident and "no incident commander" in one.message.text
    ]


def test_a_role_is_given_by_a_person_announced_and_shown() -> None:
    world = World(PEOPLE)
    world.alert()
    world.sent.clear()
    world.assign(Role.SCRIBE, "ben", by="ana")
    [notice] = [one for one in world.sent if one.kind is DeliveryKind.NOTICE]
    assert notice.message
    assert (notice.message.text, notice.message.mention_id) == ("ben is scribe (said by ana)", "U0BEN")
    refreshed = world.sent[-1]
    assert refreshed.kind is DeliveryKind.REFRESH
    assert refreshed.incident
    assert refreshed.incident.roles == {"scribe": "ben"}


def test_a_role_passes_on_and_is_given_back() -> None:
    world = World(PEOPLE)
    world.alert()
    world.assign(Role.SCRIBE, "ben")
    world.assign(Role.SCRIBE, "ben")
    world.assign(Role.SCRIBE, "ana")
    assert world.incident.coordination.roles == {Role.SCRIBE: "ana"}
    world.assign(Role.SCRIBE, None)
    assert world.incident.coordination.roles == {}
    assert world.log.count("role_assigned") == 3, "what is so already changes nothing"
    assert "Nobody is scribe any more (said by ana)" in world.said(DeliveryKind.NOTICE)


def test_who_acknowledges_becomes_primary_resolver_unless_a_person_said_otherwise() -> None:
    world = World(PEOPLE)
    world.alert()
    world.acknowledge("ana")
    assert world.incident.coordination.roles == {Role.PRIMARY_RESOLVER: "ana"}
    world.escalate()
    world.acknowledge("ben")
    assert world.incident.coordination.roles == {Role.PRIMARY_RESOLVER: "ben"}
    world.assign(Role.PRIMARY_RESOLVER, "cat")
    world.escalate()
    world.acknowledge("ana")
    assert world.incident.coordination.roles == {Role.PRIMARY_RESOLVER: "cat"}


def test_the_policy_names_who_leads() -> None:
    world = World(LED)
    world.alert(labels={"severity": "page"})
    assert world.incident.coordination.roles == {}
    world.set_severity(Severity.SEV1)
    assert world.incident.coordination.roles == {Role.INCIDENT_COMMANDER: "ben"}
    assert "ben is incident commander (by the policy)" in world.said(DeliveryKind.NOTICE)
    assert "commander" not in world.incident.deadlines


def test_the_policy_names_nobody_who_is_not_there() -> None:
    with pytest.raises(PolicyError, match="nobody is called 'ben' in people"):
        World(LED.replace(", ben: {slack: U0BEN}", ""))


def test_while_nobody_leads_it_is_said_and_then_told_level_by_level_and_nobody_is_paged() -> None:
    world = World(PEOPLE)
    world.alert()
    world.acknowledge("ana")
    world.sent.clear()
    world.advance(days=1)
    assert calls(world) == [(10, "ana"), (20, "secondary"), (30, "manager")]
    assert world.kinds(Provider.PAGERDUTY) == []
    assert world.incident.status == "acknowledged"


def test_a_service_with_a_chain_of_its_own_calls_for_a_commander_along_that_chain() -> None:
    world = World(PEOPLE.replace("services: {}", "services: {checkout: {escalation: payments}}") + CHAIN)
    world.alert()
    world.acknowledge("ana")
    world.sent.clear()
    world.advance(days=1)
    assert calls(world) == [(10, "ana"), (20, "treasurer")]


def test_who_leads_ends_the_calls_and_who_leaves_begins_them_anew() -> None:
    world = World(PEOPLE)
    world.alert()
    world.acknowledge("ana")
    world.advance(minutes=9)
    world.assign(Role.INCIDENT_COMMANDER, "ben")
    world.advance(hours=1)
    assert calls(world) == []
    world.assign(Role.INCIDENT_COMMANDER, None)
    world.advance(minutes=10)
    assert calls(world) == [(79, "ana")]


def test_a_sev2_has_longer_and_a_sev3_needs_nobody() -> None:
    world = World(PEOPLE)
    world.alert(labels={"severity": "page"})
    assert world.incident.deadlines["commander"].due_at == T0 + timedelta(minutes=20)
    world.advance(minutes=5)
    world.set_severity(Severity.SEV3)
    assert "commander" not in world.incident.deadlines
    world.advance(days=1)
    assert calls(world) == []


def test_nobody_is_called_for_after_the_end() -> None:
    world = World(PEOPLE)
    world.alert()
    world.resolve()
    world.advance(days=1)
    assert calls(world) == []


def test_who_led_owes_the_postmortem() -> None:
    """POLICY 22."""
    world = World(PEOPLE)
    world.alert()
    world.acknowledge("ana")
    world.assign(Role.INCIDENT_COMMANDER, "ben")
    world.resolve("ana")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem
    assert review.postmortem.owner == "ben"


def test_who_leads_is_who_is_reminded_of_updates() -> None:
    """POLICY 12, 15."""
    world = World(PEOPLE)
    world.alert()
    world.acknowledge("ana")
    world.assign(Role.INCIDENT_COMMANDER, "ben")
    world.advance(minutes=10)
    [reminder] = [one for one in world.sent if one.message and "next update" in one.message.text]
    assert reminder.message
    assert reminder.message.mention == "ben"
