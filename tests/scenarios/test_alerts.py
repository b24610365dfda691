"""Stories of alerts: how they join, resolve, come back, fall silent. docs/decisions/0005; POLICY 7, 14, 22,
24.
"""

from __future__ import annotations

from datetime import timedelta

from models.deliveries import DeliveryKind, Provider
from models.severity import Severity
from tests.world import T0, World


def test_alerts_of_one_service_join_one_incident() -> None:
    world = World()
    world.alert(pods=["pod-0", "pod-1"])
    world.alert(pods=["pod-2"], group="g2")
    assert len(world.store.incidents_by_id) == 1
    assert len(world.incident.firing) == 3
    assert world.pages == ["primary"]


def test_staging_never_joins_production() -> None:
    world = World()
    world.alert(labels={"namespace": "prod"})
    world.alert(labels={"namespace": "staging"})
    assert len(world.store.incidents_by_id) == 2


def test_repeats_change_nothing_but_the_silence_clock() -> None:
    world = World()
    world.alert()
    for _ in range(5):
        world.advance(hours=4)
        world.alert()
    assert world.log.count("alerts_joined") == 1
    assert "alerts_went_stale" not in world.log


def test_it_resolves_when_all_its_alerts_have() -> None:
    world = World()
    world.alert(pods=["pod-0", "pod-1"])
    world.alert(pods=["pod-0"], status="resolved", group_status="firing")
    assert world.incident.is_open
    world.alert(pods=["pod-1"], status="resolved")
    assert world.incident.status == "resolved"
    assert world.kinds(Provider.PAGERDUTY)[-1] is DeliveryKind.PAGE_RESOLVE


def test_an_alert_merely_missing_from_a_message_does_not_resolve() -> None:
    world = World()
    world.alert(pods=["pod-0", "pod-1"])
    world.alert(pods=["pod-0"], status="resolved", group_status="firing")
    world.alert(pods=["pod-0"], status="resolved", group_status="firing")
    assert world.incident.is_open


def test_a_resolved_group_resolves_what_it_does_not_list() -> None:
    """With `max_alerts` the final message is truncated, too."""
    world = World()
    world.alert(pods=["pod-0", "pod-1", "pod-2"])
    world.alert(pods=["pod-0"], status="resolved", truncated=2)
    assert world.incident.status == "resolved"


def test_a_resolved_group_resolves_incidents_that_it_does_not_list_at_all() -> None:
    world = World()
    world.alert("A", group="shared")
    world.alert("B", group="shared")
    world.alert("A", group="shared", status="resolved", truncated=1)
    assert {incident.status for incident in world.store.incidents_by_id.values()} == {"resolved"}


def test_a_truncated_group_that_still_fires_keeps_it_open() -> None:
    world = World()
    world.alert(pods=["pod-0"], truncated=5)
    world.alert(pods=["pod-0"], status="resolved", group_status="firing", truncated=4)
    assert world.incident.is_open, "alerts that were never listed may still fire"
    world.alert(pods=["pod-0"], status="resolved")
    assert world.incident.status == "resolved"


def test_firing_resolved_firing_with_one_fingerprint_pages_again() -> None:
    """An alert that expired and was sent again has the same fingerprint and startsAt: content is no identity."""
    world = World()
    world.alert()
    world.alert(status="resolved")
    world.advance(minutes=1)
    world.alert()
    assert world.pages == ["primary", "primary"]
    assert world.incident.generation == 1
    assert "incident_reopened" in world.log


def test_after_the_window_a_new_linked_generation_begins() -> None:
    world = World()
    world.alert()
    world.alert(status="resolved")
    first = world.incident
    world.advance(minutes=31)
    world.alert(started=T0 + timedelta(minutes=31))
    assert world.incident.generation == 2
    assert world.incident.id != first.id
    assert world.incident.number == "INC-2026-0302-002"


def test_what_a_person_resolved_stays_quiet_until_it_was_seen_resolved() -> None:
    world = World()
    world.alert()
    world.resolve()
    world.advance(hours=4)
    world.alert()
    assert world.pages == ["primary"]
    assert len(world.store.incidents_by_id) == 1
    world.alert(status="resolved")
    world.alert()
    assert world.pages == ["primary", "primary"]


def test_silence_is_said_aloud_and_closes_nothing() -> None:
    world = World()
    world.alert()
    world.acknowledge()
    world.advance(hours=24)
    assert world.incident.is_open
    assert any("Nothing has been heard" in text for text in world.said(DeliveryKind.NOTICE))


def test_every_message_carries_the_runbook() -> None:
    """POLICY 7."""
    world = World()
    world.alert()
    told = [one.incident for one in world.sent if one.incident]
    assert told
    assert all(facts.links["runbook"] == "https://runbooks.example/checkout" for facts in told)


def test_a_sev1_is_published_and_an_internal_text_never_is() -> None:
    """POLICY 18."""
    world = World()
    world.alert(annotations={"summary": "db-17.internal is down"})
    world.update("We have found the cause.", stage="identified")
    world.resolve()
    texts = world.said(DeliveryKind.PUBLICATION)
    assert texts == ["We are investigating a problem.", "We have found the cause.", "The problem is resolved."]
    stages = [one.incident.stage for one in world.sent if one.kind is DeliveryKind.PUBLICATION and one.incident]
    assert stages == ["investigating", "identified", "resolved"]


def test_a_declared_incident_pages_and_does_not_resolve_by_itself() -> None:
    """POLICY 40."""
    world = World()
    world.declare(Severity.SEV1)
    assert world.pages == ["primary"]
    world.acknowledge()
    world.advance(days=3)
    assert world.incident.is_open


def test_a_sev1_owes_a_postmortem_within_48_hours() -> None:
    """POLICY 22: the acknowledger owns it, is reminded before it is due and every day after."""
    world = World()
    world.alert()
    world.acknowledge("ana")
    world.alert(status="resolved")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem is not None
    assert (review.postmortem.owner, review.postmortem.due_at) == ("ana", T0 + timedelta(hours=48))
    world.advance(hours=43, minutes=59)
    assert world.said(DeliveryKind.REMINDER) == []
    world.advance(minutes=1)
    assert "is due 2026-03-04 03:00 UTC" in world.said(DeliveryKind.REMINDER)[0]
    world.advance(hours=4)
    assert "was due" in world.said(DeliveryKind.REMINDER)[1]
    world.advance(hours=24)
    assert len(world.said(DeliveryKind.REMINDER)) == 3
    world.complete_postmortem()
    world.advance(days=9)
    assert len(world.said(DeliveryKind.REMINDER)) == 3


def test_a_long_outage_owes_it_within_four_hours() -> None:
    """POLICY 22."""
    world = World()
    world.alert()
    world.acknowledge()
    world.advance(hours=1, seconds=1)
    world.alert(status="resolved")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem is not None
    assert review.postmortem.due_at == world.now + timedelta(hours=4)


def test_what_was_a_sev1_owes_its_postmortem_however_it_was_judged_at_its_end() -> None:
    """POLICY 22: it goes by the worst that the incident has been, as the status page does."""
    world = World()
    world.alert()
    world.acknowledge()
    world.advance(minutes=50)
    world.set_severity(Severity.SEV3, "nearly over")
    world.alert(status="resolved")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem is not None
    assert review.postmortem.due_at == world.now + timedelta(hours=48)
    assert review.postmortem.severity is Severity.SEV1
    assert any("Postmortem due" in one.message.next_steps for one in world.sent if one.message)


def test_what_never_was_one_owes_none() -> None:
    world = World()
    world.declare(Severity.SEV3)
    world.resolve()
    assert str(world.incident.id) not in world.store.reviews_by_key


def test_a_reopened_incident_is_shown_as_open_everywhere() -> None:
    """The first report stands in the channel and is edited; a new announcement stands where everybody looks."""
    world = World()
    world.alert()
    world.alert(status="resolved")
    told = len(world.sent)
    world.alert()
    edits = [one for one in world.sent[told:] if one.kind is DeliveryKind.REFRESH]
    assert [one.incident.status for one in edits if one.incident] == ["triggered"]
    kinds = [one.kind for one in world.sent[told:]]
    assert kinds.index(DeliveryKind.ANNOUNCEMENT) < kinds.index(DeliveryKind.REFRESH)


def test_an_opened_incident_needs_no_edit() -> None:
    world = World()
    world.alert()
    assert DeliveryKind.REFRESH not in world.kinds(Provider.SLACK)


def test_a_page_names_the_kind_of_alert() -> None:
    world = World()
    world.alert("HighErrorRate")
    [page] = [one for one in world.sent if one.kind is DeliveryKind.PAGE and one.incident]
    assert page.incident is not None
    assert page.incident.alertname == "HighErrorRate"


def test_a_reopened_incident_owes_its_postmortem_anew() -> None:
    world = World()
    world.alert()
    world.acknowledge()
    world.alert(status="resolved")
    world.advance(minutes=10)
    world.alert()
    world.acknowledge()
    world.advance(hours=49)
    assert not [text for text in world.said(DeliveryKind.REMINDER) if "postmortem" in text]
    world.alert(status="resolved")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem is not None
    assert review.postmortem.status == "open"
    assert review.postmortem.due_at == world.now + timedelta(hours=4)


def test_an_action_item_reminds_its_owner_until_it_is_done() -> None:
    """POLICY 24."""
    world = World()
    world.alert()
    world.set_severity(Severity.SEV4)
    world.add_action_item("Add a canary", "ben", T0 + timedelta(days=7))
    world.advance(days=6, hours=20)
    assert "Add a canary" in world.said(DeliveryKind.REMINDER)[0]
    world.advance(hours=4)
    assert "was due" in world.said(DeliveryKind.REMINDER)[1]
    (item,) = world.store.reviews_by_key[str(world.incident.id)].items.values()
    world.complete_action_item(item.id)
    told = len(world.said(DeliveryKind.REMINDER))
    world.advance(days=30)
    assert len(world.said(DeliveryKind.REMINDER)) == told


def test_an_alert_that_cannot_be_read_pages_once_per_kind_of_reason_and_is_no_news_for_customers() -> None:
    """Refusals are loud: what cannot be read could be any alert."""
    world = World()
    for _ in range(5):
        world.garbage(b'{"version": "4", "groupKey": "g", "status": "firing", "alerts": [{"status": 7}]}')
    assert world.pages == ["primary"]
    assert world.incident.title == "An alert from prometheus could not be read"
    assert world.kinds(Provider.STATUSPAGE) == []
    world.garbage(b"nonsense")
    assert len(world.pages) == 2


def test_who_took_it_owns_the_postmortem_also_after_an_escalation() -> None:
    world = World()
    world.alert()
    world.acknowledge("ana")
    world.escalate("manager")
    world.alert(status="resolved")
    review = world.store.reviews_by_key[str(world.incident.id)]
    assert review.postmortem is not None
    assert review.postmortem.owner == "ana"


def test_what_a_person_silenced_stays_silent_in_the_next_generation() -> None:
    """A resolve mutes what still fires until it has been seen resolved, however many incidents later."""
    world = World()
    world.alert(pods=["pod-0"])
    world.resolve()
    world.advance(hours=1)
    world.alert(pods=["pod-0", "pod-1"])
    assert world.incident.generation == 2
    world.alert(pods=["pod-0", "pod-1"])
    world.alert(pods=["pod-1"], status="resolved", group_status="firing")
    assert world.incident.status == "resolved", "pod-0 is not what keeps it open"
    pages = len(world.pages)
    world.advance(hours=4)
    world.alert(pods=["pod-0"])
    assert len(world.pages) == pages
    world.alert(pods=["pod-0"], status="resolved")
    world.alert(pods=["pod-0"], started=world.now)
    assert len(world.pages) == pages + 1


def test_a_resolved_group_resolves_all_that_was_last_seen_in_it_even_when_nothing_was_cut_off() -> None:
    """Alertmanager was killed and never told that A is over; or the group was truncated only while A was listed."""
    world = World()
    world.alert("A", group="shared")
    world.alert("B", group="shared")
    world.alert("B", group="shared", status="resolved")
    assert {incident.status for incident in world.store.incidents_by_id.values()} == {"resolved"}


def test_a_group_that_resolved_while_its_first_report_was_under_way_leaves_a_trace_and_pages_nobody() -> None:
    """What the last message does not list is reached although no incident has been opened yet. docs/decisions/0017."""
    world = World()
    world.hold_signals()
    world.alert("A", group="shared")
    world.alert("B", group="shared")
    world.alert("A", group="shared", status="resolved", truncated=1)
    world.release_signals()
    assert [incident.status for incident in world.store.incidents_by_id.values()] == ["resolved"] * 2
    assert world.pages == []
