"""Stories of updates: reminded before, said when missed, told further, and never a page. POLICY 12."""

from __future__ import annotations

from datetime import timedelta

from models.deliveries import DeliveryKind, Provider
from models.severity import Severity
from tests.world import DEFAULT, T0, World

PEOPLE = DEFAULT.replace("people: {}", "people: {ana: {slack: U0ANA}}")
CHAIN = """
escalations:
  payments:
    levels:
      - {name: clerk, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}
      - {name: treasurer, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY}
"""


def taken(labels: dict[str, str] | None = None, text: str = PEOPLE) -> World:
    """A world in which ana has taken an incident at once; SEV1 unless the labels say otherwise."""
    world = World(text)
    world.alert(labels=labels)
    world.acknowledge("ana")
    world.sent.clear()
    return world


def nudges(world: World) -> list[tuple[int, str | None]]:
    """Minute and person of every word about a missing update, in order."""
    told = {DeliveryKind.NOTICE, DeliveryKind.REMINDER}
    return [
        (int((one.incident.at - T0).total_seconds() // 60), one.message.mention)
        for one in world.sent
        if one.kind in told and one.message and one.incident and "update" in one.message.text
    ]


def test_who_has_it_is_reminded_before_the_update_is_due() -> None:
    world = taken({"severity": "page"})
    world.advance(minutes=24, seconds=59)
    assert nudges(world) == []
    world.advance(seconds=1)
    assert nudges(world) == [(25, "ana")]
    [reminder] = [one for one in world.sent if one.kind is DeliveryKind.NOTICE]
    assert reminder.message
    assert "due at 03:30 UTC" in reminder.message.text
    assert reminder.message.mention_id == "U0ANA"


def test_an_update_in_time_starts_the_clock_anew_and_nothing_is_said() -> None:
    world = taken({"severity": "page"})
    for _ in range(6):
        world.advance(minutes=20)
        world.update("Still on it.")
    assert nudges(world) == []
    assert world.incident.coordination.next_update_due == world.now + timedelta(minutes=30)


def test_a_missed_update_is_said_where_everybody_reads_and_from_the_second_on_to_the_next_level() -> None:
    world = taken({"severity": "page"})
    world.advance(hours=2)
    assert nudges(world) == [(25, "ana"), (30, "ana"), (60, "secondary"), (120, "manager")]
    world.advance(days=1)
    assert len(nudges(world)) == 16, "then every two hours: four times the cadence"
    first, second, *_ = (one for one in world.sent if one.message and "missing" in one.message.text)
    assert first.message
    assert second.message
    assert first.message.slack_channel == "#incidents"
    assert "the update due at 03:30 UTC is missing." in first.message.text
    assert "missing, the 2nd in a row. ana has it." in second.message.text


def test_a_service_with_a_chain_of_its_own_is_told_along_that_chain() -> None:
    text = PEOPLE.replace("services: {}", "services: {checkout: {escalation: payments}}") + CHAIN
    world = taken({"severity": "page"}, text)
    world.advance(hours=2)
    assert nudges(world) == [(25, "ana"), (30, "ana"), (60, "treasurer"), (120, "treasurer")]


def test_a_missed_update_pages_nobody_and_takes_it_from_nobody() -> None:
    world = taken()
    world.advance(hours=5)
    assert world.kinds(Provider.PAGERDUTY) == []
    assert world.incident.status == "acknowledged"
    assert world.incident.coordination.updates_missed == 7


def test_an_update_ends_the_row_of_missed_ones() -> None:
    world = taken({"severity": "page"})
    world.advance(minutes=61)
    world.update("We are back.")
    world.sent.clear()
    assert world.incident.coordination.updates_missed == 0
    world.advance(minutes=30)
    assert nudges(world) == [(86, "ana"), (91, "ana")], "no level is told of the first one that is missed"


def test_a_severity_has_its_own_cadence_and_a_change_starts_it() -> None:
    world = taken({"severity": "warning"})
    assert world.incident.coordination.next_update_due == T0 + timedelta(days=1)
    world.advance(minutes=40)
    world.set_severity(Severity.SEV2)
    assert world.incident.coordination.next_update_due == T0 + timedelta(minutes=70)
    world.set_severity(Severity.SEV4)
    assert world.incident.coordination.next_update_due is None, "the policy wants none of SEV4"
    assert not {"update", "update/reminder"} & set(world.incident.deadlines)


def test_the_public_entry_has_a_clock_of_its_own() -> None:
    world = taken(text=PEOPLE.replace("update_within: {SEV1: 15m,", "update_within: {SEV1: 1h,"))
    world.advance(minutes=30)
    old = [text for text in world.said(DeliveryKind.NOTICE) if "public entry" in text]
    assert len(old) == 2, "at 15 and at 30 minutes"
    assert "nothing new for 15 min" in old[0]
    world.update("We know why.", stage="identified")
    world.advance(minutes=14)
    assert len([text for text in world.said(DeliveryKind.NOTICE) if "public entry" in text]) == 2


def test_nothing_is_expected_of_what_is_resolved_and_again_of_what_comes_back() -> None:
    world = taken()
    world.resolve()
    world.advance(minutes=10)
    world.alert(status="resolved")
    assert nudges(world) == []
    assert world.incident.coordination.next_update_due is None
    world.alert()
    assert world.incident.coordination.next_update_due == world.now + timedelta(minutes=15)


def test_after_an_outage_of_ours_a_missed_update_is_said_once() -> None:
    world = taken({"severity": "page"})
    world.now += timedelta(hours=7)
    world.advance(seconds=1)
    assert len(nudges(world)) == 1
    assert any("missing." in text for text in world.said(DeliveryKind.REMINDER))


def test_messages_say_when_the_next_update_is_really_due() -> None:
    world = World()
    world.alert()
    world.advance(minutes=3)
    world.acknowledge()
    shown = {one.incident.next_update_due for one in world.sent if one.incident}
    assert shown == {T0 + timedelta(minutes=15)}, "taking it is no update"
