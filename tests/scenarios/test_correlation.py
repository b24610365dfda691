"""Which incidents belong together, and that one of them pages for all. POLICY 7."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.deliveries import DeliveryKind
from models.storms import storm_key, stormy
from models.surroundings import Question
from tests.evidence import findings
from tests.world import DEFAULT, World

CATALOGUE = "{database: {tier: 1}, checkout: {dependencies: [database]}, shop: {dependencies: [checkout]}}"
POLICY = DEFAULT.replace("services: {}", f"services: {CATALOGUE}")
APART = POLICY.replace("by_dependency: true", "by_dependency: false").replace("by_severity: true", "by_severity: false")


def fires(world: World, service: str, severity: str = "page", *, name: str = "", status: str = "firing") -> None:
    """An alert of one service in a group of its own."""
    name = name or f"{service}Errors"
    world.alert(name, status=status, group=f"{service}/{name}", labels={"service": service, "severity": severity})


def paged(world: World) -> list[str]:
    """The services that somebody was paged for, in order."""
    return [one.incident.service for one in world.sent if one.kind is DeliveryKind.PAGE and one.incident]


def test_what_a_failing_dependency_causes_is_attached_to_it_and_pages_nobody() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    fires(world, "checkout")
    fires(world, "shop")
    assert paged(world) == ["database"]
    assert world.about("checkout").parent == world.about("shop").parent == world.about("database").key
    assert world.about("database").correlated.collected == 2
    said = " ".join(world.said(DeliveryKind.NOTICE))
    assert f"Attached to {world.about('database').number}, which pages for both: shop depends on database" in said
    assert f"This one pages for {world.about('checkout').number} (SEV2, checkoutErrors on checkout)" in said


def test_an_attached_incident_waits_for_nobody_and_resolves_with_its_alerts() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    world.acknowledge()
    fires(world, "checkout")
    world.advance(hours=3)
    assert paged(world) == ["database"]
    assert set(world.about("checkout").deadlines) == {"attachment", "stale"}
    fires(world, "checkout", status="resolved")
    assert world.about("checkout").status == "resolved"
    assert not world.about("checkout").deadlines


def test_what_still_fires_when_the_dependency_is_well_again_pages_for_itself_soon_after() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    fires(world, "checkout")
    fires(world, "database", "critical", status="resolved")
    assert paged(world) == ["database"]
    world.advance(minutes=5)
    assert paged(world) == ["database", "checkout"]
    assert world.about("checkout").parent is None
    world.advance(minutes=5)
    assert paged(world) == ["database", "checkout", "checkout"]


def test_nobody_is_paged_for_what_somebody_has_when_the_dependency_is_well_again() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.acknowledge()
    fires(world, "database", "critical", status="resolved")
    world.advance(hours=1)
    assert paged(world) == ["database"]
    assert world.about("checkout").parent is None
    assert findings(world.store, world.about("checkout").id, world.policy) == []


def test_what_is_worse_than_the_dependency_s_trouble_pages_for_itself() -> None:
    world = World(POLICY)
    fires(world, "database", "page")
    fires(world, "checkout", "critical")
    assert paged(world) == ["database", "checkout"]


def test_what_becomes_worse_than_what_it_is_attached_to_pages_for_itself() -> None:
    world = World(POLICY)
    fires(world, "database", "page")
    fires(world, "checkout", "page")
    assert paged(world) == ["database"]
    fires(world, "checkout", "critical")
    assert paged(world) == ["database", "checkout"]
    assert world.about("checkout").parent is None
    assert world.about("checkout").severity == "SEV1"


def test_another_environment_s_dependency_is_not_to_blame() -> None:
    world = World(POLICY)
    world.alert("databaseErrors", group="staging", labels={"service": "database", "environment": "staging"})
    world.alert("checkoutErrors", group="prod", labels={"service": "checkout", "environment": "prod"})
    assert paged(world) == ["database", "checkout"]


def test_a_dependency_that_pages_nobody_answers_for_nobody() -> None:
    world = World(POLICY)
    fires(world, "database", "low")
    fires(world, "checkout")
    assert paged(world) == ["checkout"]


def test_a_more_severe_incident_of_the_same_service_inhibits_lesser_ones() -> None:
    world = World(POLICY)
    fires(world, "checkout", "critical", name="Down")
    fires(world, "checkout", "page", name="Slow")
    assert paged(world) == ["checkout"]
    assert world.incident.parent == "-/-/checkout/Down"


def test_nothing_is_attached_where_the_policy_does_not_say_so() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    fires(world, "checkout", "critical", name="Down")
    fires(world, "checkout", "page", name="Slow")
    assert paged(world) == ["database", "checkout", "checkout", "checkout"]


def test_a_quiet_channel_hears_the_whole_story_once_it_is_on_its_own() -> None:
    world = World(POLICY.replace("status_page: [SEV1, SEV2]\n", "status_page: []\n  email: [ops@example.test]\n"))
    fires(world, "database", "critical")
    fires(world, "checkout")
    assert DeliveryKind.EMAIL_REPORT not in {one.kind for one in world.sent}
    world.split("checkout")
    assert [one.incident.service for one in world.sent if one.kind is DeliveryKind.EMAIL_REPORT and one.incident] == [
        "checkout"
    ]
    assert paged(world) == ["database", "checkout"]


def test_a_person_merges_and_with_that_has_it() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.merge("checkout", into="database")
    world.advance(minutes=30)
    assert paged(world).count("checkout") == 1
    assert world.about("checkout").acknowledged_by == "ana"
    assert world.about("checkout").parent == world.about("database").key
    assert world.about("database").correlated.collected == 1


def test_merging_twice_or_in_a_circle_or_into_what_is_over_changes_nothing() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.merge("checkout", into="database")
    seq = world.about("checkout").seq, world.about("database").seq
    world.merge("checkout", into="database")
    world.merge("database", into="checkout")
    world.merge("database", into="database")
    assert (world.about("checkout").seq, world.about("database").seq) == seq
    fires(world, "shop")
    fires(world, "database", "critical", status="resolved")
    world.merge("shop", into="database")
    assert world.about("shop").parent is None


def test_two_that_are_merged_into_each_other_at_once_do_not_silence_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(APART)
    fires(world, "database")
    fires(world, "checkout")
    keys = frozenset(world.about(service).key for service in ("database", "checkout"))
    with monkeypatch.context() as workers:  # neither has seen yet what the other is about to write
        before = world.store.surroundings(Question(keys=keys))
        workers.setattr(world.store, "surroundings", lambda _: replace(before, by_key=dict(before.by_key)))
        world.merge("checkout", into="database")
        world.merge("database", into="checkout")
    world.advance(minutes=6)
    assert {world.about(service).parent for service in ("database", "checkout")} > {None}


def test_a_merged_incident_that_flaps_stays_merged() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.merge("checkout", into="database")
    fires(world, "checkout", status="resolved")
    fires(world, "checkout")
    assert world.about("checkout").status == "triggered"
    assert paged(world).count("checkout") == 1
    assert "attachment" in world.about("checkout").deadlines


def test_what_a_merge_changes_is_shown_by_one_edit() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    told = len(world.sent)
    world.merge("checkout", into="database")
    edits = [one for one in world.sent[told:] if one.kind is DeliveryKind.REFRESH and one.incident]
    assert [one.incident.service for one in edits if one.incident].count("checkout") == 1


def test_splitting_pages_anew_from_the_first_level() -> None:
    world = World(APART)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.merge("checkout", into="database")
    world.split("checkout")
    assert world.pages[-1] == "primary"
    assert paged(world) == ["database", "checkout", "checkout"]
    world.split("checkout")
    assert paged(world) == ["database", "checkout", "checkout"]


def test_a_person_s_escalation_takes_it_out() -> None:
    world = World(POLICY)
    fires(world, "database", "critical")
    fires(world, "checkout")
    world.escalate()
    assert paged(world) == ["database", "checkout"]
    assert world.about("checkout").parent is None
    world.advance(minutes=5)
    assert paged(world).count("checkout") == 2


@pytest.mark.parametrize("times", [1, 2])
def test_beyond_the_threshold_one_storm_pages_and_the_others_are_listed(times: int) -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 4, within: 5m}"))
    world.redeliver = times
    for number in range(12):
        fires(world, f"service-{number}")
    storm = world.about("tocsin")
    assert paged(world) == [f"service-{number}" for number in range(4)] + ["tocsin"]
    assert storm.correlated.collected == 8
    assert (storm.severity, storm.key) == ("SEV2", "tocsin/storm/")
    assert storm.title == "Many incidents at once"


def test_nothing_sev1_is_swallowed_by_a_storm() -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 2, within: 5m}"))
    for number in range(4):
        fires(world, f"service-{number}", "low")
    storm = world.about("tocsin")
    assert (storm.severity, paged(world)) == ("SEV4", [])
    fires(world, "service-3", "critical")
    fires(world, "other", "critical")
    assert paged(world) == ["service-3", "other"]


def test_a_storm_pages_when_something_that_pages_is_attached_to_it() -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 2, within: 5m}"))
    for number in range(4):
        fires(world, f"service-{number}", "low")
    fires(world, "one-more", "page")
    assert paged(world) == ["tocsin"]
    assert world.about("tocsin").severity == "SEV2"


def test_a_storm_ends_by_itself_once_all_it_collected_is_over() -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 2, within: 5m}"))
    for number in range(5):
        fires(world, f"service-{number}")
    assert world.about("service-4").attached_to == "a storm"
    world.advance(minutes=20)
    assert world.about("service-4").attached_to == world.about("tocsin").number
    assert world.about("tocsin").is_open
    for number in range(5):
        fires(world, f"service-{number}", status="resolved")
    world.advance(minutes=5)
    assert world.about("tocsin").status == "resolved"
    assert not [
        row for row in world.store.ledger.values() if row.name in {"attachment", "storm"} and row.status == "pending"
    ]


def test_a_storm_that_a_person_ends_lets_what_still_fires_page() -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 2, within: 5m}"))
    for number in range(4):
        fires(world, f"service-{number}")
    world.resolve(service="tocsin")
    world.advance(minutes=5)
    assert {"service-2", "service-3"} <= set(paged(world))


def test_staging_s_storm_swallows_nothing_of_production() -> None:
    world = World(POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 2, within: 5m}"))
    for number in range(4):
        world.alert(
            f"A{number}",
            group=f"g{number}",
            labels={"environment": "staging", "severity": "page", "service": f"s{number}"},
        )
    world.alert("B", group="prod", labels={"environment": "prod", "severity": "page", "service": "checkout"})
    assert "checkout" in paged(world)
    assert world.about("tocsin").title == "Many incidents at once in staging"


def test_a_frozen_incident_takes_no_more_alerts_and_none_is_lost() -> None:
    world = World()
    world.alert()
    world.freeze()
    first = world.incident
    world.advance(seconds=1)
    world.alert(pods=["pod-0", "pod-1"])
    assert world.store.incidents_by_id[first.id].alerts.count == 1
    beside = world.incident
    assert (beside.id != first.id, beside.key, beside.alerts.count) == (True, f"{first.key}+1", 1)
    assert world.pages == ["primary", "primary"]
    world.alert(pods=["pod-0", "pod-1"], status="resolved")
    assert {one.status for one in world.store.incidents_by_id.values()} == {"resolved"}


def test_what_a_frozen_incident_handed_on_resolves_there_also_after_its_end() -> None:
    world = World()
    world.alert()
    world.freeze()
    first = world.incident
    world.alert(pods=["pod-1"], group="g2")
    world.alert(status="resolved")
    assert world.store.incidents_by_id[first.id].status == "resolved"
    world.advance(hours=2)
    world.alert(pods=["pod-2"], group="g3")
    assert (world.incident.key, world.incident.generation) == (first.key, 2)
    world.alert(status="resolved", pods=["pod-9"], group="g2")
    beside = next(one for one in world.store.incidents_by_id.values() if one.key != first.key)
    assert beside.status == "resolved"


def test_it_takes_alerts_again_when_a_person_says_so() -> None:
    world = World()
    world.alert()
    world.freeze()
    world.freeze()
    world.freeze(frozen=False)
    world.alert(pods=["pod-0", "pod-1"])
    assert world.incident.alerts.count == 2
    assert world.log.count("incident_frozen") == 2


def test_a_storm_s_key_is_no_alert_s_whatever_its_labels() -> None:
    assert stormy(storm_key("prod/eu")) == "prod/eu"
    assert stormy(storm_key("")) == ""
    assert stormy("tocsin/storm/checkout/Down") is None
    assert stormy("-/-/checkout/Down") is None


def test_a_grouping_of_the_policy_makes_one_incident_of_many_alert_names() -> None:
    rack = "groupings:\n  - {name: rack, when: {rack: .+}, by: [[datacenter], [rack]]}\n"
    world = World(POLICY + rack)
    for name in ("NodeDown", "SwitchDown", "LinkDown"):
        world.alert(name, group=name, labels={"rack": "r/12", "datacenter": "fra"})
    assert world.pages == ["primary"]
    assert (world.incident.key, world.incident.alerts.count) == ("rack/fra/r%2F12", 3)


@pytest.mark.parametrize(("follows", "status"), [("tell", "triggered"), ("resolve", "resolved")])
def test_alerts_that_nobody_mentions_any_more_are_told_or_resolved_by_policy(follows: str, status: str) -> None:
    world = World(DEFAULT + f"when_stale: {follows}\n")
    world.alert(labels={"severity": "low"})
    world.advance(hours=25)
    assert (world.incident.status, "alerts_went_stale" in world.log) == (status, follows == "tell")
    world.alert(labels={"severity": "low"}, started=world.now)
    assert world.incident.status == "triggered"
