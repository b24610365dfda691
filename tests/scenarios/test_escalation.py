"""Stories of paging: who, when, and never twice. POLICY 8, 9, 13."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import rates
from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Refused, RetryLater
from models.policy_file import shipped_policy
from models.severity import Severity
from tests.world import DEFAULT, T0, Answer, World, breaks_off, is_down, takes


def test_a_critical_alert_pages_the_primary_at_once() -> None:
    world = World()
    world.alert()
    assert world.pages == ["primary"]
    assert world.incident.number == "INC-2026-0302-001"
    assert (world.incident.severity, world.incident.priority) == ("SEV1", "P0")


def test_nobody_acknowledges_so_the_chain_is_walked_level_by_level() -> None:
    world = World()
    world.alert()
    world.advance(minutes=4, seconds=59)
    assert world.pages == ["primary"]
    world.advance(seconds=1)
    assert world.pages == ["primary", "secondary"]
    world.advance(minutes=5)
    assert world.pages == ["primary", "secondary", "manager"]


def test_an_acknowledgement_ends_the_escalation_for_good() -> None:
    world = World()
    world.alert()
    world.advance(minutes=5)
    world.acknowledge()
    world.advance(days=1)
    assert world.pages == ["primary", "secondary"]
    assert [one.page.ordinal for one in world.sent if one.kind is DeliveryKind.PAGE_ACKNOWLEDGE and one.page] == [1, 2]


def test_two_acknowledgements_are_one() -> None:
    world = World()
    world.alert()
    world.acknowledge("ana")
    world.acknowledge("ben")
    assert world.log.count("acknowledged") == 1
    assert world.incident.acknowledged_by == "ana"


def test_the_chain_ends_loudly_when_every_round_is_used_up() -> None:
    world = World()
    world.alert()
    world.advance(hours=2)
    assert world.pages == ["primary", "secondary", "manager"] * 3
    assert "escalation_exhausted" in world.log
    assert "Nobody has acknowledged" in world.said(DeliveryKind.PAGE_FALLBACK)[-1]


def test_the_clock_starts_when_people_can_know() -> None:
    world = World(answers={Provider.PAGERDUTY: is_down})
    world.alert()
    world.advance(seconds=90)
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(seconds=30)
    assert world.pages == ["primary"]
    world.advance(minutes=4)
    assert world.pages == ["primary"], "five minutes from the receipt, not from the decision"
    world.advance(minutes=1)
    assert world.pages == ["primary", "secondary"]


def test_a_page_that_does_not_get_through_is_told_in_slack_and_the_chain_goes_on() -> None:
    world = World(answers={Provider.PAGERDUTY: is_down})
    world.alert()
    world.advance(seconds=31)
    assert "has not got through yet" in world.said(DeliveryKind.PAGE_FALLBACK)[0]
    world.advance(minutes=7)
    assert world.log.count("level_paged") == 2, "two minutes for the receipt, then five to acknowledge"


def test_a_page_refused_for_good_goes_to_the_next_level_at_once() -> None:
    def no_primary(delivery: Delivery) -> Outcome:
        return Refused("no such key") if delivery.page and delivery.page.level == "primary" else Delivered("sent", {})

    world = World(answers={Provider.PAGERDUTY: no_primary})
    world.alert()
    assert world.pages == ["secondary"]
    assert "could not be delivered" in world.said(DeliveryKind.PAGE_FALLBACK)[0]


def test_a_page_that_was_never_sent_is_cancelled_by_the_acknowledgement() -> None:
    world = World(answers={Provider.PAGERDUTY: is_down})
    world.alert()
    world.acknowledge()
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(hours=1)
    assert world.kinds(Provider.PAGERDUTY) == [], "nobody was paged, so there is nothing to acknowledge either"


@pytest.mark.parametrize("away", [is_down, breaks_off])
def test_after_an_outage_only_the_level_whose_turn_it_is_is_paged(away: Answer) -> None:
    world = World(answers={Provider.PAGERDUTY: away})
    world.alert()
    world.advance(minutes=25)
    assert world.log.count("level_paged") == 4, "seven minutes each: two for the receipt, five to acknowledge"
    assert len(world.said(DeliveryKind.PAGE_FALLBACK)) == 4, "each was told in Slack"
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(minutes=4)
    assert [one.page.ordinal for one in world.sent if one.kind is DeliveryKind.PAGE and one.page] == [4]
    assert world.pages == ["primary"], "once, although the second round had reached them again"
    world.acknowledge()
    acknowledged = [one.page.ordinal for one in world.sent if one.kind is DeliveryKind.PAGE_ACKNOWLEDGE and one.page]
    assert acknowledged == ([4] if away is is_down else [1, 2, 3, 4]), "and what may have reached people"


def test_the_ledger_says_why_a_page_did_not_go_out() -> None:
    world = World(answers={Provider.PAGERDUTY: is_down})
    world.alert()
    world.advance(minutes=15)
    never = "before it could be sent"
    assert world.page_fates == [
        ("primary", "cancelled", f"superseded by the page to secondary {never}"),
        ("secondary", "cancelled", f"superseded by the page to manager {never}"),
        ("manager", "pending", "no answer"),
    ]


def test_a_person_who_escalates_supersedes_what_could_not_be_sent() -> None:
    world = World(answers={Provider.PAGERDUTY: is_down})
    world.alert()
    world.escalate("manager")
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(minutes=1)
    assert world.pages == ["manager"]


def test_a_refusal_supersedes_what_could_not_be_sent_before() -> None:
    def refuses_the_secondary(delivery: Delivery) -> Outcome:
        return Refused("no such key") if delivery.page and delivery.page.level == "secondary" else is_down(delivery)

    world = World(answers={Provider.PAGERDUTY: refuses_the_secondary})
    world.alert()
    world.advance(minutes=7)
    world.answers[Provider.PAGERDUTY] = takes
    world.advance(minutes=1)
    assert world.pages == ["manager"]
    assert [status for _, status, _ in world.page_fates] == ["cancelled", "refused", "delivered"]


def test_an_escalation_by_hand_pages_the_named_level_and_unacknowledges() -> None:
    world = World()
    world.alert()
    world.acknowledge()
    world.escalate("manager")
    assert world.pages == ["primary", "manager"]
    assert world.incident.status == "triggered"
    world.advance(minutes=5)
    assert world.pages == ["primary", "manager", "primary"], "after the last level the next round begins"


def test_an_escalation_to_a_level_that_nobody_knows_changes_nothing() -> None:
    world = World()
    world.alert()
    world.escalate("the-king")
    assert world.pages == ["primary"]


def test_p2_is_told_but_wakes_nobody() -> None:
    world = World()
    world.alert(labels={"severity": "warning"})
    world.advance(days=1)
    assert world.pages == []
    assert DeliveryKind.ANNOUNCEMENT in world.kinds(Provider.SLACK)


def test_info_is_no_incident() -> None:
    world = World()
    world.alert("Watchdog", labels={"severity": "none"})
    assert world.store.incidents_by_id == {}


def test_a_severity_that_rises_pages_anew_although_somebody_had_acknowledged() -> None:
    world = World()
    world.alert(labels={"severity": "page"})
    world.acknowledge()
    world.alert(labels={"severity": "critical"}, pods=["pod-0", "pod-1"])
    assert world.incident.severity == "SEV1"
    assert world.pages == ["primary", "primary"]
    assert world.incident.status == "triggered"


def test_severity_never_falls_by_itself_but_a_person_may_lower_it() -> None:
    world = World()
    world.alert()
    world.alert(labels={"severity": "warning"})
    assert world.incident.severity == "SEV1"
    world.set_severity(Severity.SEV3, "only staging")
    assert world.incident.severity == "SEV3"
    assert world.incident.why == ("only staging (ana)",)
    assert "Severity is now SEV3 (P2): only staging (ana)" in world.said(DeliveryKind.NOTICE)


def test_too_early_for_its_severity_the_incident_waits_unpaged_and_then_pages() -> None:
    """POLICY 1: 30 % is SEV2 only after five minutes."""
    world = World()
    world.alert(labels={"severity": ""}, annotations={"error_rate": "0.30"})
    assert (world.incident.severity, world.pages) == ("SEV4", [])
    world.advance(minutes=4, seconds=59)
    assert world.pages == []
    world.advance(seconds=1)
    assert (world.incident.severity, world.pages) == ("SEV2", ["primary"])


def test_a_budget_that_burns_on_rises_by_itself_and_pages_then() -> None:
    """POLICY 2: 12 % is SEV1 only after five minutes."""
    world = World()
    world.alert(labels={"severity": ""}, annotations={"burn_rate": "12%"})
    assert (world.incident.severity, world.pages) == ("SEV3", [])
    world.advance(minutes=4, seconds=59)
    assert world.pages == []
    world.advance(seconds=1)
    assert (world.incident.severity, world.pages) == ("SEV1", ["primary"])


def test_a_healthy_budget_is_logged_and_opens_nothing() -> None:
    """POLICY 1, 2: INFO is no incident."""
    world = World()
    world.alert(labels={"severity": ""}, annotations={"burn_rate": "1.9%"})
    assert not world.store.incidents_by_id


def test_what_prometheus_gave_is_frozen_in_the_incident() -> None:
    """A record that comes again after Prometheus has changed its mind changes nothing."""
    text = DEFAULT.replace("sources: [{annotation: error_rate}]", "sources: [{query: 'errors{service=$service}'}]", 1)
    world = World(text)
    world.prometheus = iter([rates.Answer(0.62), rates.Answer(0.0)])
    world.redeliver = 2
    world.alert(labels={"severity": ""})
    assert (world.incident.severity, world.pages) == ("SEV1", ["primary"])
    assert world.incident.why[0] == "error rate 62% (asked of Prometheus) is above 50%: SEV1"


def test_an_outage_of_ours_does_not_page_three_levels_at_once() -> None:
    world = World()
    world.alert()
    world.now += timedelta(hours=3)  # nobody was there to see the deadline pass
    world.advance(seconds=1)
    assert world.pages == ["primary", "secondary"]
    world.advance(minutes=4)
    assert world.pages == ["primary", "secondary"]


def test_every_story_is_the_same_when_every_record_comes_twice() -> None:
    once, twice = World(), World()
    twice.redeliver = 2
    for world in (once, twice):
        world.alert()
        world.advance(minutes=5)
        world.acknowledge()
        world.alert(status="resolved")
        world.advance(hours=50)
    assert twice.log == once.log
    assert twice.pages == once.pages == ["primary", "secondary"]
    assert len(twice.store.outbox) == len(once.store.outbox)
    assert once.now > T0


def test_what_one_group_is_waited_for_is_not_forgotten_over_news_of_another() -> None:
    """POLICY 1: the condition of the first group goes on, whatever the second one says."""
    world = World()
    world.alert(labels={"severity": ""}, annotations={"error_rate": "0.30"})
    world.advance(minutes=1)
    world.alert(pods=["pod-1"], group="g2", labels={"severity": "low"})
    world.advance(minutes=4)
    assert (world.incident.severity, world.pages) == ("SEV2", ["primary"])


def test_a_condition_that_ended_is_waited_for_no_longer() -> None:
    world = World()
    world.alert(labels={"severity": "low"}, group="g2", pods=["pod-1"])
    world.alert(labels={"severity": ""}, annotations={"error_rate": "0.30"})
    world.alert(status="resolved")
    world.advance(hours=1)
    assert (world.incident.severity, world.pages) == ("SEV4", [])


def test_what_a_person_judged_stands_until_it_gets_worse_than_it_ever_was() -> None:
    """POLICY 6."""
    world = World()
    world.alert(labels={"severity": "page"})
    world.set_severity(Severity.SEV4, "a test host")
    world.alert(labels={"severity": "page"})
    assert world.incident.severity == "SEV4"
    world.alert(labels={"severity": "critical"})
    assert world.incident.severity == "SEV1"
    assert world.pages == ["primary", "primary"]


def test_a_huge_annotation_does_not_travel_in_every_message() -> None:
    world = World()
    world.alert(annotations={"summary": "x" * 100_000})
    assert len(world.incident.summary) == 2000


def test_who_lowers_it_to_what_wakes_nobody_has_taken_it() -> None:
    world = World()
    world.alert()
    world.set_severity(Severity.SEV4, "a test host")
    world.advance(hours=2)
    assert world.pages == ["primary"]
    assert world.incident.acknowledged_by == "ana"


def test_who_lowers_what_paged_nobody_has_not_taken_it() -> None:
    world = World()
    world.alert(labels={"severity": "warning"})
    world.set_severity(Severity.SEV4)
    assert (world.incident.status, world.incident.acknowledged_by) == ("triggered", None)


def test_pages_of_an_earlier_life_wait_for_nobody() -> None:
    world = World()
    world.alert()
    world.set_severity(Severity.SEV4)
    world.alert(status="resolved")
    world.alert(labels={"severity": "warning"})
    assert (world.incident.severity, world.incident.status, world.pages) == ("SEV3", "triggered", ["primary"])
    world.set_severity(Severity.SEV4)
    assert world.incident.acknowledged_by is None


def test_who_lowers_it_after_the_chain_has_ended_has_taken_it() -> None:
    world = World()
    world.alert()
    world.advance(hours=2)
    world.set_severity(Severity.SEV4)
    assert world.incident.acknowledged_by == "ana"


def test_the_second_way_waits_behind_no_other_message() -> None:
    """POLICY 32. Slack lets 20 channels a minute be made; in a storm the incident's own messages wait for that."""

    def makes_no_channel(delivery: Delivery) -> Outcome:
        return RetryLater("429") if delivery.kind is DeliveryKind.CHANNEL else takes(delivery)

    world = World()
    world.answers = {Provider.PAGERDUTY: is_down, Provider.SLACK: makes_no_channel}
    world.alert()
    world.advance(seconds=31)
    assert "has not got through yet" in world.said(DeliveryKind.PAGE_FALLBACK)[0]


def test_a_severe_burn_has_a_clock_of_its_own_and_then_all_hands_are_paged() -> None:
    """POLICY 2: 50 % and more is answered within 5 minutes, by all hands."""
    guide = shipped_policy("sre-guide")
    for rate, after in (("60%", timedelta(minutes=5)), ("20%", timedelta(minutes=15))):
        world = World(guide)
        started = world.now - timedelta(hours=1)
        world.alert(labels={"severity": "page"}, annotations={"burn_rate": rate}, started=started)
        world.advance(seconds=after.total_seconds() - 1)
        assert world.pages == ["on-call"]
        world.advance(seconds=1)
        assert world.pages == ["on-call", "all-hands"]


def test_a_severity_that_rises_within_one_priority_leaves_no_more_time_than_it_gives() -> None:
    """POLICY 8: nobody is paged again, but the level has 5 minutes instead of 30 from when it could know."""
    world = World(DEFAULT.replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}").replace("P1: 5m, ", ""))
    world.alert(labels={"severity": "warning"})
    world.advance(minutes=2)
    world.alert(labels={"severity": "page"}, pods=["pod-1"])
    assert (world.incident.severity, world.pages) == ("SEV2", ["primary"])
    world.advance(minutes=2, seconds=59)
    assert world.pages == ["primary"]
    world.advance(seconds=1)
    assert world.pages == ["primary", "secondary"]
