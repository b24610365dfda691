"""Stories of reports that arrive late: a request that a proxy held, a second Alertmanager. docs/decisions/0017."""

from __future__ import annotations

from datetime import timedelta

from models.severity import Severity
from tests.world import T0, World

A_MINUTE = timedelta(minutes=1)


def test_an_old_firing_report_does_not_reopen_what_was_seen_resolved() -> None:
    world = World()
    world.alert()
    world.advance(minutes=2)
    world.alert(status="resolved")
    world.alert(late=A_MINUTE)
    assert world.incident.status == "resolved"
    assert world.pages == ["primary"]


def test_it_does_not_either_where_the_group_resolved_without_listing_it() -> None:
    world = World()
    world.alert(pods=["pod-0", "pod-1"])
    world.advance(minutes=2)
    world.alert(pods=["pod-0"], status="resolved", truncated=1)
    world.alert(pods=["pod-0", "pod-1"], late=A_MINUTE, truncated=3)
    assert world.incident.status == "resolved"


def test_nor_does_it_open_a_new_generation() -> None:
    world = World()
    world.alert()
    world.alert(status="resolved")
    world.advance(minutes=31)
    world.alert(late=timedelta(minutes=32))
    assert len(world.store.incidents_by_id) == 1


def test_a_later_firing_is_none_of_it_however_late_it_is_heard() -> None:
    """Another startsAt is another firing: receivers' clocks decide nothing about it."""
    world = World()
    world.alert()
    world.advance(minutes=2)
    world.alert(status="resolved")
    world.alert(started=T0 + timedelta(minutes=1, seconds=30), late=timedelta(seconds=10))
    assert world.incident.is_open
    assert world.pages == ["primary", "primary"]


def test_what_an_old_report_tells_besides_is_heard() -> None:
    world = World()
    world.alert(pods=["pod-0"])
    world.advance(minutes=2)
    world.alert(pods=["pod-0"], status="resolved")
    world.alert(pods=["pod-0", "pod-1"], late=A_MINUTE)
    assert world.incident.firing == ["CheckoutErrors/pod-1"]


def test_an_old_resolve_ends_no_later_firing() -> None:
    world = World()
    world.alert(pods=["pod-0", "pod-1"])
    world.advance(minutes=2)
    world.alert(pods=["pod-0"], status="resolved", group_status="firing")
    world.advance(minutes=2)
    world.alert(pods=["pod-0"])
    world.alert(pods=["pod-0", "pod-1"], status="resolved", late=A_MINUTE)
    assert world.incident.firing == ["CheckoutErrors/pod-0"]
    world.alert(pods=["pod-0"], status="resolved")
    assert world.incident.status == "resolved"


def test_an_old_report_raises_no_severity_and_plans_nothing() -> None:
    world = World()
    world.alert(pods=["pod-0"], labels={"severity": "warning"})
    world.alert(pods=["pod-1"], labels={"severity": "warning"}, group="g2")
    world.advance(minutes=2)
    world.alert(pods=["pod-0"], status="resolved", labels={"severity": "warning"})
    before = world.log
    world.alert(pods=["pod-0"], labels={"severity": "critical"}, annotations={"error_rate": "0.3"}, late=A_MINUTE)
    assert world.log == before


def test_a_muted_alert_does_not_raise_the_severity() -> None:
    world = World()
    world.alert(pods=["pod-0"], labels={"severity": "warning"})
    world.resolve()
    world.advance(minutes=1)
    world.alert(pods=["pod-1"], labels={"severity": "warning"}, group="g2")
    world.alert(pods=["pod-0"], labels={"severity": "critical"})
    assert world.incident.severity is not Severity.SEV1
    assert world.pages == []


def test_a_muted_alert_is_heard_of_again_once_its_group_has_resolved_as_a_whole_also_in_the_next_generation() -> None:
    world = World()
    world.alert(pods=["pod-0"])
    world.resolve()
    world.advance(hours=1)
    world.alert(pods=["pod-1"], group="g2", started=world.now)
    world.alert(pods=["pod-2"], status="resolved")
    assert world.incident.alerts.muted == {}
    world.alert(pods=["pod-1"], group="g2", status="resolved")
    pages = len(world.pages)
    world.alert(pods=["pod-0"])
    assert len(world.pages) == pages + 1
