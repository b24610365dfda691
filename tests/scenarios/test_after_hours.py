"""Stories of hours and hands: who is not woken, who is asked again, who is called beside. POLICY 8, 9, 10, 11."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.deliveries import DeliveryKind
from models.severity import Severity
from tests.scenarios.oncall import policy
from tests.world import World

K = DeliveryKind
ANA, BEN = "{name: ana, targets: [{person: ana}]}", "{name: ben, targets: [{person: ben}]}"
OWNED = "{checkout: {owner: payments}}"
OPENS = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Monday, nine in Berlin; the stories begin at four."""


def pages_sev3(text: str) -> str:
    """SEV3 pages too, and is a P1."""
    return text.replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}")


def keys(world: World) -> list[str]:
    return [one.page.routing_key for one in world.sent if one.kind is K.PAGE and one.page]


def test_after_hours_a_sev3_waits_for_business_hours_and_that_is_said() -> None:
    """POLICY 11."""
    world = World(pages_sev3(policy(ANA, BEN, services=OWNED)))
    world.alert(labels={"severity": "warning"})
    assert world.pages == []
    assert "page_held" in world.log
    assert world.said(K.NOTICE) == ["Nobody is woken for this after hours: it pages from 2026-03-02 08:00 UTC on"]
    world.advance(seconds=(OPENS - world.now).total_seconds() - 1)
    assert world.pages == []
    world.advance(seconds=1)
    assert world.pages == ["ana"]
    world.advance(minutes=30)
    assert world.pages == ["ana", "ben"]


@pytest.mark.parametrize("severity", ["critical", "page"])
def test_after_hours_a_sev1_and_a_sev2_page_at_once(severity: str) -> None:
    """POLICY 11."""
    world = World(policy(ANA, services=OWNED))
    world.alert(labels={"severity": severity})
    assert world.pages == ["ana"]


def test_what_waits_for_business_hours_pages_at_once_when_it_gets_worse() -> None:
    world = World(pages_sev3(policy(ANA, BEN, services=OWNED)))
    world.alert(labels={"severity": "warning"})
    world.alert(labels={"severity": "page"})
    assert world.pages == ["ana"]
    assert "wake" not in world.incident.deadlines


@pytest.mark.parametrize("ending", ["acknowledge", "resolve", "lower"])
def test_what_somebody_has_taken_meanwhile_wakes_nobody_in_the_morning(ending: str) -> None:
    world = World(pages_sev3(policy(ANA, BEN, services=OWNED)))
    world.alert(labels={"severity": "warning"})
    world.set_severity(Severity.SEV4) if ending == "lower" else getattr(world, ending)()
    world.advance(hours=6)
    assert world.pages == []


def test_a_chain_that_is_at_work_does_not_go_on_after_hours() -> None:
    world = World(pages_sev3(policy(ANA, BEN, services=OWNED)), now=datetime(2026, 3, 2, 15, 45, tzinfo=UTC))
    world.alert(labels={"severity": "warning"})
    assert world.pages == ["ana"]
    world.advance(hours=2)
    assert world.pages == ["ana"], "half an hour later the office is closed"
    world.advance(hours=14, minutes=20)
    assert world.pages == ["ana", "ben"]


def test_a_person_may_wake_whom_they_want() -> None:
    world = World(pages_sev3(policy(ANA, BEN, services=OWNED)))
    world.alert(labels={"severity": "warning"})
    world.escalate("ben")
    assert world.pages == ["ben"]


def test_a_team_without_calendar_has_no_hours_to_wait_for() -> None:
    world = World(pages_sev3(policy(ANA)))
    world.alert(labels={"severity": "warning"})
    assert world.pages == ["ana"]


def test_a_clock_in_business_time_runs_by_the_teams_calendar() -> None:
    """POLICY 8."""
    text = pages_sev3(policy(ANA, BEN, services=OWNED)).replace("SEV3: 30m", "SEV3: 2 business hours")
    world = World(text, now=datetime(2026, 3, 6, 15, 0, tzinfo=UTC))  # Friday, an hour before the end
    world.alert(labels={"severity": "warning"})
    assert world.incident.deadlines["acknowledge"].due_at == datetime(2026, 3, 6, 16, 0, tzinfo=UTC), "P1 is 1 h"
    world = World(text.replace("P1: 1h", "P1: next business day"), now=datetime(2026, 3, 6, 15, 0, tzinfo=UTC))
    world.alert(labels={"severity": "warning"})
    assert world.incident.deadlines["acknowledge"].due_at == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_all_hands_are_every_member_of_the_team_and_for_a_sev1_alone() -> None:
    """POLICY 9."""
    hands = "{name: hands, all_hands: true, severities: [SEV1]}"
    world = World(policy(ANA, hands, BEN, services=OWNED))
    world.alert()
    world.advance(minutes=5)
    assert keys(world) == ["TOCSIN_KEY_ANA"] * 2 + ["TOCSIN_KEY_BEN"]
    assert [one.message.mention for one in world.sent if one.kind is K.MENTION and one.message] == ["cleo"]
    world = World(policy(ANA, hands, BEN, services=OWNED))
    world.alert(labels={"severity": "page"})
    world.advance(minutes=5)
    assert world.pages == ["ana", "ben"]
    assert "level_skipped" not in world.log, "it is not its turn, so there is nothing to say"


def test_experts_of_the_kind_are_called_beside_the_first_level() -> None:
    """POLICY 10."""
    text = policy(ANA, ANA.replace("name: ana", "name: again")).replace("experts: [database]", "experts: [ben]")
    world = World(text)
    world.alert("PostgresDown")
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN"]
    world.advance(minutes=5)
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN", "TOCSIN_KEY_ANA"]


def test_an_expert_who_is_on_call_anyhow_is_paged_once() -> None:
    world = World(policy("{name: on-call, targets: [{team: payments}]}", services="{checkout: {experts: [ana]}}"))
    world.alert()
    assert keys(world) == ["TOCSIN_KEY_ANA"]


EXPIRES = "acknowledgement_expires: {SEV1: 30m}\n"


def test_an_acknowledgement_without_news_expires_and_the_level_is_paged_again() -> None:
    world = World(policy(ANA, BEN) + EXPIRES)
    world.alert()
    world.acknowledge()
    world.advance(minutes=29, seconds=59)
    assert world.pages == ["ana"]
    world.advance(seconds=1)
    assert world.pages == ["ana", "ana"]
    assert world.incident.status == "triggered"
    assert "Paged ana (ana): acknowledgement expired" in world.said(K.NOTICE)


def test_news_prolong_an_acknowledgement() -> None:
    world = World(policy(ANA, BEN) + EXPIRES)
    world.alert()
    world.acknowledge()
    world.advance(minutes=20)
    world.update("still looking")
    world.advance(minutes=29)
    assert world.pages == ["ana"]
    world.advance(minutes=1)
    assert world.pages == ["ana", "ana"]


def test_an_acknowledgement_that_was_resolved_expires_no_more() -> None:
    world = World(policy(ANA, BEN) + EXPIRES)
    world.alert()
    world.acknowledge()
    world.resolve()
    world.advance(hours=1)
    assert world.pages == ["ana"]
