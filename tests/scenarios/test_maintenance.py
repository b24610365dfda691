"""Stories of maintenance windows: announced ahead, nobody is woken meanwhile, watched afterwards. POLICY 21."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.deliveries import DeliveryKind
from models.severity import Severity
from tests.scenarios.oncall import policy
from tests.world import DEFAULT, T0, World

K = DeliveryKind
RECURRING = """  watch: 24h
  recurring:
    weekly: {title: Patches, services: [checkout], zone: UTC, hours: {tue: "03:00-04:00"}}
"""
WEEKLY = DEFAULT.replace("  watch: 24h\n", RECURRING)
PAGE = {"severity": "page"}
"""A SEV2, which pages."""


def ops(world: World) -> list[str]:
    """What the channel of operations has read."""
    assert all(one.message.slack_channel == "#ops" for one in world.sent if one.kind is K.MAINTENANCE and one.message)
    return world.said(K.MAINTENANCE)


def why(world: World) -> str:
    return " | ".join(world.incident.why)


def test_what_fires_in_a_window_pages_nobody_and_says_so() -> None:
    world = World()
    world.plan_maintenance("Upgrade")
    world.advance(minutes=10)
    world.alert(labels=PAGE)
    assert world.pages == []
    assert "page_held" in world.log
    held = "Nobody is woken during maintenance “Upgrade”: it pages from 2026-03-02 05:00 UTC on"
    assert world.said(K.NOTICE) == [held]
    assert "maintenance “Upgrade” is under way until 2026-03-02 05:00 UTC" in why(world)


def test_what_is_still_open_at_the_end_pages_from_level_1() -> None:
    world = World()
    world.plan_maintenance(lasting=2)
    world.advance(minutes=10)
    world.alert(labels=PAGE)
    world.advance(minutes=109)
    assert world.pages == []
    world.advance(minutes=1)
    assert world.pages == ["primary"]
    assert world.said(K.NOTICE)[-1] == "Paged primary: maintenance over"
    world.advance(minutes=5)
    assert world.pages == ["primary", "secondary"]


@pytest.mark.parametrize("ending", ["resolves", "acknowledged"])
def test_what_is_over_or_taken_at_the_end_pages_nobody(ending: str) -> None:
    world = World()
    world.plan_maintenance(lasting=2)
    world.alert(labels=PAGE)
    world.advance(minutes=30)
    world.acknowledge() if ending == "acknowledged" else world.alert(labels=PAGE, status="resolved")
    world.advance(hours=3)
    assert world.pages == []


def test_a_chain_that_is_at_work_when_the_window_begins_stops_and_begins_anew_after_it() -> None:
    world = World()
    world.plan_maintenance(lasting=1, ahead=timedelta(minutes=7))
    world.alert(labels=PAGE)
    world.advance(minutes=5)
    assert world.pages == ["primary", "secondary"]
    world.advance(minutes=50)
    assert world.pages == ["primary", "secondary"]
    world.advance(minutes=12)
    assert world.pages == ["primary", "secondary", "primary"]


def test_a_sev1_pages_unless_the_window_covers_it() -> None:
    world = World()
    world.plan_maintenance()
    world.alert()
    assert world.incident.severity is Severity.SEV1
    assert world.pages == ["primary"]
    covered = World()
    covered.plan_maintenance(covers_sev1=True)
    covered.alert()
    assert covered.pages == []


def test_what_becomes_a_sev1_in_the_window_pages() -> None:
    world = World()
    world.plan_maintenance()
    world.alert(labels=PAGE)
    assert world.pages == []
    world.alert()
    assert world.pages == ["primary"]
    assert "wake" not in world.incident.deadlines


def test_what_a_person_asks_for_pages_in_any_case() -> None:
    world = World()
    world.plan_maintenance()
    world.alert(labels=PAGE)
    world.escalate("secondary")
    assert world.pages == ["secondary"]
    world = World()
    world.plan_maintenance()
    world.declare(Severity.SEV2)
    assert world.pages == ["primary"]


def test_other_services_and_environments_page_as_ever() -> None:
    world = World()
    world.plan_maintenance(services=["billing"])
    world.plan_maintenance(environment="staging")
    world.alert(labels={**PAGE, "environment": "production"})
    assert world.pages == ["primary"]


def test_a_window_of_all_services_does_not_hold_what_tocsin_says_of_itself() -> None:
    """An alert that cannot be read may be any alert."""
    world = World()
    world.plan_maintenance(services=["*"])
    world.alert(labels=PAGE)
    assert world.pages == []
    world.advance(minutes=1)
    world.garbage(b"{")
    assert world.incident.service == "tocsin"
    assert world.pages == ["primary"]


def test_a_window_that_is_extended_goes_on_holding() -> None:
    world = World()
    window = world.plan_maintenance(lasting=1)
    world.alert(labels=PAGE)
    world.advance(minutes=50)
    world.end_maintenance(window, T0 + timedelta(hours=3))
    assert world.incident.deadlines["wake"].due_at == T0 + timedelta(hours=3)
    world.advance(hours=2)
    assert world.pages == []
    world.advance(minutes=10)
    assert world.pages == ["primary"]


def test_a_window_that_ends_early_or_is_cancelled_lets_go_what_it_holds() -> None:
    for let_go in (World.end_maintenance, World.cancel_maintenance):
        world = World()
        window = world.plan_maintenance(lasting=4)
        world.alert(labels=PAGE)
        world.advance(minutes=30)
        let_go(world, window)
        assert world.pages == ["primary"]
        world.advance(minutes=2)
        assert world.pages == ["primary"]


def test_where_another_window_is_in_force_at_the_end_it_goes_on_holding() -> None:
    world = World()
    first = world.plan_maintenance("First", lasting=1)
    world.plan_maintenance("Second", lasting=1, ahead=timedelta(minutes=30))
    world.alert(labels=PAGE)
    world.advance(minutes=40)
    world.end_maintenance(first)
    assert world.pages == []
    world.advance(minutes=49)
    assert world.pages == []
    world.advance(minutes=1)
    assert world.pages == ["primary"]


def test_at_the_end_of_maintenance_after_hours_it_waits_for_the_morning() -> None:
    """POLICY 11."""
    text = policy("{name: ana, targets: [{person: ana}]}", services="{checkout: {owner: payments}}")
    world = World(text.replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}"))
    world.plan_maintenance(lasting=1)
    world.alert(labels={"severity": "warning"})
    world.advance(hours=4, minutes=59)
    assert world.pages == []
    world.advance(minutes=1)
    assert world.pages == ["ana"]


def test_it_is_announced_two_weeks_and_a_day_ahead_at_its_start_and_at_its_end() -> None:
    world = World()
    world.plan_maintenance(ahead=timedelta(days=20), lasting=2)
    assert ops(world) == []
    world.advance(days=6)
    planned, meanwhile = ops(world)[0].splitlines()
    assert planned == "Maintenance “Upgrade” of checkout is planned from 2026-03-22 03:00 UTC to 2026-03-22 05:00 UTC."
    assert meanwhile.startswith("Meanwhile nothing of it pages by itself, SEV1 excepted; what is still open at its end")
    world.advance(days=13)
    assert len(ops(world)) == 2
    world.advance(days=1)
    assert ops(world)[2].startswith("Maintenance “Upgrade” of checkout begins; it ends at 2026-03-22 05:00 UTC.")
    world.advance(hours=2)
    assert ops(world)[3:] == [
        "Maintenance “Upgrade” of checkout is over. Its services are watched for 1 d.\nNothing fired meanwhile."
    ]


def test_what_is_planned_late_is_announced_at_once_and_what_was_announced_is_called_off() -> None:
    world = World()
    window = world.plan_maintenance(ahead=timedelta(days=3))
    assert len(ops(world)) == 1
    world.cancel_maintenance(window)
    assert ops(world)[1] == "Maintenance “Upgrade” of checkout is cancelled (ana). What pages is paged from now on."
    world.advance(days=4)
    assert len(ops(world)) == 2
    assert not [row for row in world.store.ledger.values() if row.status in {"pending", "claimed"}]


def test_at_its_end_it_shows_what_fired_meanwhile() -> None:
    world = World()
    world.alert("Before", labels=PAGE, group="g0")
    world.acknowledge()
    world.advance(minutes=1)
    world.plan_maintenance(lasting=2)
    world.alert("Lasting", labels=PAGE, group="g1")
    world.alert("Short", labels=PAGE, group="g2")
    world.alert("Other", labels={**PAGE, "service": "billing"}, group="g3")
    world.advance(minutes=5)
    world.alert("Short", labels=PAGE, group="g2", status="resolved")
    world.advance(hours=2)
    (text,) = [one for one in ops(world) if "is over" in one]
    assert text.splitlines()[1:] == [
        "Fired meanwhile (2):",
        "• INC-2026-0302-002 SEV2 checkout: Lasting on checkout (still open, pages now if its priority does)",
        "• INC-2026-0302-003 SEV2 checkout: Short on checkout (over)",
    ]


def test_for_a_day_afterwards_its_incidents_say_that_maintenance_has_ended() -> None:
    world = World()
    world.plan_maintenance(lasting=1)
    world.advance(hours=4, minutes=20)
    world.alert(labels=PAGE)
    assert world.pages == ["primary"]
    assert why(world).endswith("maintenance “Upgrade” ended 3 h ago")
    page = next(one for one in world.sent if one.kind is K.PAGE)
    assert page.incident
    assert page.incident.why[-1] == "maintenance “Upgrade” ended 3 h ago"
    world.advance(hours=21)
    world.alert("Later", labels=PAGE, group="g2")
    assert "maintenance" not in why(world)


def test_what_recurs_is_planned_by_the_policy_and_holds_like_any_other() -> None:
    world = World(WEEKLY)
    world.plan_recurring()
    starts = sorted(window.starts_at for window in world.store.windows.values())
    assert starts == [datetime(2026, 3, day, 3, 0, tzinfo=UTC) for day in (3, 10)]
    world.plan_recurring()
    assert len(world.store.windows) == 2
    world.advance(days=1, minutes=1)
    world.alert(labels=PAGE)
    assert world.pages == []
    world.advance(hours=1)
    assert world.pages == ["primary"]


def test_what_the_policy_no_longer_has_is_called_off_and_planned_again_when_it_has_it_back() -> None:
    world = World(WEEKLY)
    world.plan_recurring()
    kept = next(iter(world.store.windows.values()))
    world.cancel_maintenance(kept)
    world.adopt(DEFAULT)
    world.plan_recurring()
    assert {window.status for window in world.store.windows.values()} == {"cancelled"}
    world.adopt(WEEKLY)
    world.plan_recurring()
    statuses = {window.id: window.status for window in world.store.windows.values()}
    assert statuses.pop(kept.id) == "cancelled", "what a person has cancelled stays so"
    assert set(statuses.values()) == {"planned"}


def test_redelivery_changes_nothing() -> None:
    world = World()
    world.redeliver = 2
    window = world.plan_maintenance(lasting=1)
    world.alert(labels=PAGE)
    world.advance(minutes=10)
    world.end_maintenance(window)
    world.advance(hours=1)
    assert world.pages[:1] == ["primary"]
    told = [one.splitlines()[0].removeprefix("Maintenance “Upgrade” of checkout ") for one in ops(world)]
    assert told == ["begins; it ends at 2026-03-02 04:00 UTC.", "is over. Its services are watched for 1 d."]


def test_a_dependency_in_maintenance_pages_nobody_so_what_depends_on_it_pages_itself() -> None:
    """POLICY 7: what pages for others has to page."""
    world = World(policy("{name: ana, targets: [{person: ana}]}", services="{checkout: {dependencies: [database]}}"))
    world.plan_maintenance(services=["database"])
    world.alert("Slow", labels={**PAGE, "service": "database"}, group="g1")
    world.advance(minutes=1)
    world.alert("Errors", labels=PAGE, group="g2")
    assert world.pages == ["ana"]
    assert world.incident.service == "checkout"
    assert world.incident.parent is None


def test_what_is_attached_when_maintenance_begins_pages_itself_once_it_is_looked_at() -> None:
    world = World(policy("{name: ana, targets: [{person: ana}]}", services="{checkout: {dependencies: [database]}}"))
    world.alert("Slow", labels={**PAGE, "service": "database"}, group="g1")
    world.acknowledge()
    world.advance(minutes=1)
    world.alert("Errors", labels=PAGE, group="g2")
    assert world.incident.parent is not None
    world.plan_maintenance(services=["database"], lasting=4)
    world.advance(hours=1)
    assert world.incident.parent is None
    assert "ana" in world.pages[1:]


def test_a_window_that_is_over_cannot_be_moved_though_its_deadline_is_late() -> None:
    world = World()
    window = world.plan_maintenance(lasting=1)
    world.now += timedelta(hours=2)
    world.end_maintenance(window, world.now + timedelta(hours=1))
    assert world.store.windows[str(window.id)].status == "ended"
    world.alert(labels=PAGE)
    assert world.pages == ["primary"]
