"""Stories of whom a level means: people, schedules and teams, found at the moment of paging. POLICY 9."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Refused
from models.evolution import evolve
from models.oncall.spans import Stretch
from models.signals import EscalateRequested
from tests.scenarios.oncall import PEOPLE, policy
from tests.world import DEFAULT, World, is_down, takes

K = DeliveryKind
ANA, BEN = "{name: ana, targets: [{person: ana}]}", "{name: ben, targets: [{person: ben}]}"
GAP = "{name: days, targets: [{schedule: days}]}"
LATER = "{name: later, targets: [{schedule: later}]}"
BOTH, NOC = "{name: both, targets: [{person: ana}, {person: ben}]}", "{name: noc, routing_key: TOCSIN_NOC}"
KEYED = "{name: keyed, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}"


def keys(world: World) -> list[str]:
    """The routing keys of the pages that PagerDuty took, in order."""
    return [one.page.routing_key for one in world.sent if one.kind is K.PAGE and one.page]


def opened(*levels: str, more: str = "", people: str = PEOPLE, rounds: int = 3) -> World:
    """A SEV1 under a policy with these levels."""
    world = World(policy(*levels, more=more, people=people, rounds=rounds))
    world.alert()
    return world


def test_a_schedule_pages_who_is_on_call_at_that_moment() -> None:
    world = World(policy("{name: on-call, targets: [{schedule: payments}]}"))
    world.alert()
    assert keys(world) == ["TOCSIN_KEY_ANA"]
    world.advance(days=7)
    world.resolve()
    world.advance(hours=1)
    world.alert("Other")
    assert keys(world)[-1] == "TOCSIN_KEY_BEN", "a week later it is the next one's turn"


def test_every_target_of_a_level_is_paged_at_once_each_with_a_key_of_its_own() -> None:
    world = opened("{name: both, targets: [{person: ana}, {person: ben}, {pagerduty: TOCSIN_KEY_NOC}]}", BEN)
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN", "TOCSIN_KEY_NOC"]
    assert len({one.page.dedup_key for one in world.sent if one.kind is K.PAGE and one.page}) == 3
    assert world.log.count("level_paged") == 1
    world.acknowledge()
    assert [one.page.ordinal for one in world.sent if one.kind is K.PAGE_ACKNOWLEDGE and one.page] == [1, 2, 3]
    world.advance(hours=2)
    assert len(keys(world)) == 3, "one acknowledgement is enough for all"


def test_nobody_is_paged_twice_for_one_step() -> None:
    world = opened("{name: all, targets: [{schedule: payments}, {person: ana}, {team: payments}]}")
    assert keys(world) == ["TOCSIN_KEY_ANA"]


def test_people_behind_one_key_are_one_page() -> None:
    people = PEOPLE.replace(", pagerduty: TOCSIN_KEY_ANA", "").replace(", pagerduty: TOCSIN_KEY_BEN", "")
    world = opened("{name: all, routing_key: TOCSIN_KEY_NOC, targets: [{person: ana}, {person: ben}]}", people=people)
    assert keys(world) == ["TOCSIN_KEY_NOC"]
    world.escalate()
    assert world.said(K.NOTICE)[-1].startswith("Paged all (ana, ben)")


@pytest.mark.parametrize(
    ("level", "key"),
    [
        ("{name: cleo, routing_key: TOCSIN_KEY_NOC, targets: [{person: cleo}]}", "TOCSIN_KEY_NOC"),
        ("{name: ana, routing_key: TOCSIN_KEY_NOC, targets: [{person: ana}]}", "TOCSIN_KEY_ANA"),
        ("{name: payments, targets: [{team: payments}]}", "TOCSIN_KEY_ANA"),
    ],
)
def test_a_persons_own_key_goes_before_the_teams_and_that_before_the_levels(level: str, key: str) -> None:
    assert keys(opened(level)) == [key]


def test_a_team_without_schedule_is_all_of_it() -> None:
    world = opened("{name: network, targets: [{team: network}]}")
    assert keys(world) == ["TOCSIN_KEY_BEN"]
    assert [one.message.mention_id for one in world.sent if one.kind is K.MENTION and one.message] == ["U0CLEO"]


def test_who_has_no_pager_is_called_in_slack_and_the_clock_runs_from_then() -> None:
    world = opened("{name: cleo, targets: [{person: cleo}, {slack_group: S0PAY}]}", ANA)
    assert keys(world) == []
    mentioned = [one.message.mention_id for one in world.sent if one.kind is K.MENTION and one.message]
    assert mentioned == ["U0CLEO", "S0PAY"]
    world.advance(minutes=4, seconds=59)
    assert keys(world) == []
    world.advance(seconds=1)
    assert keys(world) == ["TOCSIN_KEY_ANA"], "there is no receipt to wait for"
    world.acknowledge()
    assert len([one for one in world.sent if one.kind is K.PAGE_ACKNOWLEDGE]) == 1


def test_who_has_no_pager_is_called_in_slack_also_where_slack_hears_nothing_else() -> None:
    text = policy("{name: cleo, targets: [{person: cleo}]}", ANA).replace("P0: [page, slack]", "P0: [page]")
    world = World(text)
    world.alert()
    assert world.kinds(Provider.SLACK) == ["mention"]


@pytest.mark.parametrize(
    ("level", "why"),
    [
        (GAP, "nobody is on call: schedule days"),
        (LATER, "nobody is on call: schedule later"),
        ("{name: gone, targets: [{schedule: elsewhere}]}", "nobody is on call: schedule elsewhere"),
        ("{name: eva, targets: [{person: eva}]}", "eva has no PagerDuty key, Slack id or address"),
    ],
)
def test_a_level_that_reaches_nobody_is_passed_over_at_once_and_said(level: str, why: str) -> None:
    world = opened(level, ANA, people=PEOPLE.replace("teams:", "  eva: {}\nteams:"))
    assert keys(world) == ["TOCSIN_KEY_ANA"]
    assert world.log.count("level_skipped") == 1
    assert any("was passed over" in text and why in text for text in world.said(K.NOTICE))


def test_a_gap_in_the_middle_of_the_chain_blocks_nobody() -> None:
    world = opened(ANA, GAP, BEN)
    world.advance(minutes=5)
    assert world.pages == ["ana", "ben"]
    world.advance(minutes=5)
    assert world.pages == ["ana", "ben", "ana"], "the next round"


def test_a_person_whose_key_is_gone_blocks_nobody() -> None:
    def unset(delivery: Delivery) -> Outcome:
        gone = delivery.page and delivery.page.routing_key == "TOCSIN_KEY_ANA"
        return Refused("no routing key; set TOCSIN_KEY_ANA") if gone else Delivered("sent", {})

    world = World(policy(ANA, BEN), answers={Provider.PAGERDUTY: unset})
    world.alert()
    assert world.pages == ["ben"]


def test_one_page_that_is_refused_leaves_the_others_of_its_step_their_time() -> None:
    def unset(delivery: Delivery) -> Outcome:
        gone = delivery.page and delivery.page.routing_key == "TOCSIN_KEY_ANA"
        return Refused("no routing key") if gone else Delivered("sent", {})

    world = World(policy(BOTH, NOC))
    world.answers = {Provider.PAGERDUTY: unset}
    world.alert()
    assert keys(world) == ["TOCSIN_KEY_BEN"]
    world.advance(minutes=4, seconds=59)
    assert world.pages == ["both"]
    world.advance(seconds=1)
    assert world.pages == ["both", "noc"]


def test_the_clock_of_a_level_runs_from_its_first_receipt() -> None:
    def slow_for_ben(delivery: Delivery) -> Outcome:
        for_ben = delivery.page and delivery.page.routing_key == "TOCSIN_KEY_BEN"
        return is_down(delivery) if for_ben and world.now < t0 + timedelta(minutes=1) else takes(delivery)

    world = World(policy(BOTH, NOC))
    t0 = world.now
    world.answers = {Provider.PAGERDUTY: slow_for_ben}
    world.alert()
    world.advance(minutes=4, seconds=59)
    assert keys(world) == ["TOCSIN_KEY_ANA", "TOCSIN_KEY_BEN"]
    world.advance(seconds=1)
    assert world.pages[-1] == "noc"


def test_a_chain_that_reaches_nobody_says_so_loudly_and_pages_the_last_resort() -> None:
    world = opened(GAP, LATER, more="  last_resort: TOCSIN_KEY_NOC\n", rounds=2)
    assert keys(world) == ["TOCSIN_KEY_NOC"]
    assert "Nobody can be reached on any level (days, later)" in world.said(K.PAGE_FALLBACK)[0]
    world.advance(hours=1)
    assert keys(world) == ["TOCSIN_KEY_NOC"] * 2, "once a round"
    assert "escalation_exhausted" in world.log


def test_without_a_last_resort_it_is_the_first_key_of_the_levels() -> None:
    world = opened(GAP, "{name: later, routing_key: TOCSIN_KEY_NOC, targets: [{schedule: later}]}")
    assert keys(world) == ["TOCSIN_KEY_NOC"]


def test_a_chain_that_can_reach_nobody_at_all_ends_loudly() -> None:
    world = opened(GAP, LATER)
    assert "nobody_on_call" in world.log
    assert "escalation_exhausted" in world.log
    assert "Somebody has to take this now." in world.said(K.PAGE_FALLBACK)[0]


def test_a_calendar_elsewhere_says_who_is_paged() -> None:
    class Always:
        def stretches(self, start: datetime, end: datetime) -> list[Stretch]:
            return [Stretch(start, end, ("ben",), "calendar")]

    world = World(policy("{name: on-call, targets: [{schedule: elsewhere}]}", ANA))
    world.imported = {"elsewhere": Always()}
    world.alert()
    assert keys(world) == ["TOCSIN_KEY_BEN"]


def test_a_service_names_its_own_chain_and_keeps_it_whatever_the_policy_becomes() -> None:
    chains = "escalations:\n  payments: {levels: [" + ANA + ", " + BEN + "], rounds: 1}\n"
    text = policy(KEYED, services="{checkout: {escalation: payments, owner: payments}}") + chains
    world = World(text)
    world.alert()
    assert world.pages == ["ana"]
    world.adopt(DEFAULT)
    world.advance(minutes=5)
    assert world.pages == ["ana", "ben"], "the policy that it was opened under holds"
    world.escalate("ana")
    assert world.pages == ["ana", "ben", "ana"]
    world.alert("Other", group="g2")
    assert world.pages[-1] == "primary"


def test_who_was_found_is_frozen_in_the_log() -> None:
    world = opened("{name: on-call, targets: [{schedule: payments}, {team: network}]}")
    world.advance(days=8)
    events = [entry for owner, entry in world.store.log if owner == str(world.incident.id)]
    folded = None
    for entry in events:
        folded = evolve(folded, entry.event, entry.at)  # type: ignore[arg-type]
    assert folded == world.incident
    (first, *_) = [entry.event for entry in events if entry.event.kind == "level_paged"]
    assert [(one.people, one.target) for one in first.recipients] == [
        (("ana",), "schedule payments"),
        (("cleo",), "team network"),
        (("ben",), "team network"),
    ]


def test_a_manual_escalation_restarts_the_levels_clock_and_unacknowledges() -> None:
    world = opened(ANA, BEN)
    world.advance(minutes=3)
    world.acknowledge()
    world.escalate("ana")
    assert world.incident.status == "triggered"
    world.advance(minutes=4, seconds=59)
    assert world.pages == ["ana", "ana"]
    world.advance(seconds=1)
    assert world.pages == ["ana", "ana", "ben"]


def test_an_acknowledgement_in_slack_and_in_pagerduty_at_once_is_one() -> None:
    world = opened(BOTH, BEN)
    world.acknowledge("ana")
    world.acknowledge("ben")
    assert (world.log.count("acknowledged"), world.incident.acknowledged_by) == (1, "ana")
    assert "acknowledge" not in world.incident.deadlines


def test_after_an_outage_of_ours_only_the_next_level_is_paged() -> None:
    world = opened(ANA, GAP, BEN)
    world.now += timedelta(hours=3)
    world.advance(seconds=1)
    assert world.pages == ["ana", "ben"]
    world.advance(minutes=4, seconds=58)
    assert world.pages == ["ana", "ben"]


def test_two_people_who_escalate_in_the_same_second_page_one_level() -> None:
    world = opened(ANA, BEN, NOC)
    world.advance(minutes=1)
    world.escalate(by="ana")
    world.advance(seconds=0.4)
    world.escalate(by="ben")
    assert world.pages == ["ana", "ben"]
    world.advance(seconds=1)
    world.escalate(by="ben")
    assert world.pages == ["ana", "ben", "noc"], "a second later it is meant"


def test_another_level_by_its_name_is_meant_in_the_same_second_too() -> None:
    world = opened(ANA, BEN, NOC)
    world.escalate()
    world.escalate("noc")
    world.escalate("noc")
    assert world.pages == ["ana", "ben", "noc"]


def test_an_escalate_that_waited_while_a_level_was_paged_pages_nobody() -> None:
    world = opened(ANA, BEN, NOC)
    world.advance(minutes=10)
    assert world.pages == ["ana", "ben", "noc"]
    for level in (None, "ana", "noc"):
        world.escalate(level, ago=timedelta(minutes=3))
    assert world.pages == ["ana", "ben", "noc"], "each was asked before the clock paged noc"
    world.escalate()
    assert world.pages[3:] == ["ana"]


def test_right_after_the_first_page_an_escalate_is_meant() -> None:
    world = opened(ANA, BEN)
    world.escalate()
    assert world.pages == ["ana", "ben"]


def test_a_record_of_an_older_version_escalates_as_it_did() -> None:
    world = opened(ANA, BEN, NOC)
    for _ in range(2):
        world._command(EscalateRequested, by="ana")
    assert world.pages == ["ana", "ben", "noc"]
