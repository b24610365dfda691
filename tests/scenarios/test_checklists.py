"""Stories of checklists: shown at the opening, ticked off by people, frozen with the incident's policy. POLICY 20."""

from __future__ import annotations

from models import ticks
from models.deliveries import ChecklistFacts, DeliveryKind
from tests.world import DEFAULT, World


def of_database() -> World:
    world = World()
    world.alert("PostgresDown")
    return world


def shown(world: World) -> ChecklistFacts | None:
    [*_, last] = (one.incident for one in world.sent if one.incident)
    return last.checklist


def test_the_initial_report_says_what_is_to_be_done_first() -> None:
    world = of_database()
    assert world.incident.kind == "database_down"
    [report] = [one for one in world.sent if one.kind is DeliveryKind.INITIAL_REPORT]
    assert report.incident
    assert report.incident.checklist == ChecklistFacts(
        "database-down", 0, 13, "Judge the severity, and freeze deployments"
    )


def test_a_tick_is_an_event_by_somebody_and_edits_the_report() -> None:
    world = of_database()
    world.tick(1, by="ben")
    world.tick(2)
    assert world.incident.coordination.ticked == {1: "ben", 2: "ana"}
    assert world.log.count("checklist_step_ticked") == 2
    assert world.sent[-1].kind is DeliveryKind.REFRESH
    assert shown(world) == ChecklistFacts("database-down", 2, 13, "Fail over to a replica, and promote it")


def test_a_tick_is_taken_back_and_what_is_so_already_changes_nothing() -> None:
    world = of_database()
    world.tick(1)
    world.tick(1, by="ben")
    world.tick(2, done=False)
    world.tick(1, done=False)
    world.tick(99)
    assert world.incident.coordination.ticked == {}
    assert [kind for kind in world.log if kind.startswith("checklist")] == [
        "checklist_step_ticked",
        "checklist_step_unticked",
    ]


def test_what_is_to_be_done_after_the_incident_is_ticked_after_its_end() -> None:
    world = of_database()
    world.resolve()
    world.tick(13)
    assert world.incident.status == "resolved"
    assert world.incident.coordination.ticked == {13: "ana"}


def test_a_checklist_is_the_one_of_the_policy_that_the_incident_was_opened_under() -> None:
    world = of_database()
    opened_under = world.policy
    world.adopt(DEFAULT.replace("      - Judge the severity, and freeze deployments\n", ""))
    world.tick(13)
    assert world.incident.coordination.ticked == {13: "ana"}
    known = ticks.progress(world.incident, opened_under)
    assert known
    assert len(known.steps) == 13


def test_a_kind_without_a_checklist_has_nothing_to_tick() -> None:
    world = World()
    world.alert("SomethingOdd")
    world.tick(1)
    assert shown(world) is None
    assert world.incident.coordination.ticked == {}
