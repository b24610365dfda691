"""What the API, the command line and the status page ask."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.deliveries import Delivered, Refused
from models.review import ActionItem, Postmortem
from models.review_signals import ActionItemCompleted, ActionItemRequested
from models.severity import Priority, Severity
from models.statuspage import Publication
from models.store.rows import Figures, Handled, IncidentFilter, Position, Ticket
from tests.store.desk import LEASE, T0, Desk, alerts
from tests.store.test_ledger import postmortem


async def test_incidents_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    for number in range(7):
        await desk.handle(alerts(f"k{number}", severity=Severity.SEV1 if number % 2 else Severity.SEV3))
    await desk.acknowledge("k5")
    listed: list[str] = []
    after = None
    while found := await desk.store.reads.incidents(IncidentFilter(), after, 3):
        listed += [one.key for one in found]
        after = Position(found[-1].opened_at, found[-1].id)
    assert listed == [f"k{number}" for number in reversed(range(7))]

    async def keys(which: IncidentFilter) -> list[str]:
        return [one.key for one in await desk.store.reads.incidents(which, None, 10)]

    assert await keys(IncidentFilter(statuses=frozenset({"acknowledged"}))) == ["k5"]
    assert await keys(IncidentFilter(severities=frozenset({Severity.SEV1}))) == ["k5", "k3", "k1"]
    assert await keys(IncidentFilter(service="checkout", statuses=frozenset({"resolved"}))) == []
    assert await keys(IncidentFilter(service="no\x00such")) == []


async def test_an_incident_is_found_by_number_and_by_id(desk: Desk) -> None:
    await desk.handle(alerts())
    [found] = await desk.store.reads.incidents(IncidentFilter(), None, 10)
    assert await desk.store.reads.incident_by_number(found.number) == found
    assert await desk.store.reads.incident_by_id(found.id) == found
    assert await desk.store.reads.incident_by_number("INC-\x00") is None
    assert await desk.store.reads.incident_by_id(uuid.uuid4()) is None
    assert found.opened_at.utcoffset() == timedelta(0)


async def test_whoever_gave_a_command_learns_what_became_of_it(desk: Desk) -> None:
    first, again = alerts(), alerts(name="x", status="resolved")
    assert await desk.store.reads.handled(first.id) is None
    await desk.handle(first, replace(again, group="another"))
    assert await desk.store.reads.handled(first.id) == Handled(changed=True)
    assert await desk.store.reads.handled(again.id) == Handled(changed=False)


async def test_deliveries_and_deadlines_are_shown_as_they_stand(desk: Desk) -> None:
    await desk.handle(alerts())
    incident_id = await desk.incident_id("shop/checkout")
    [page] = await desk.store.outbox.claim("pagerduty", 1, LEASE)
    await desk.store.outbox.finish([(page, Delivered("kept", recorded=True), None)])
    rows = await desk.store.reads.deliveries(incident_id, 10)
    assert [row.kind for row in rows] == ["page", "publication", "initial_report", "announcement", "channel"]
    assert (rows[0].status, rows[0].level, rows[0].recorded, rows[0].next_at) == ("delivered", "primary", True, None)
    assert rows[0].ended_at is not None
    assert rows[1].next_at is not None
    assert await desk.store.reads.deliveries(None, 2) == rows[:2]
    assert [row.name for row in await desk.store.reads.deadlines(None, 10)] == ["acknowledge", "stale"]
    await desk.resolve("shop/checkout")
    assert [row.name for row in await desk.store.reads.deadlines(None, 10)] == ["postmortem"]
    assert len(await desk.store.reads.deadlines(incident_id, 10)) == 3


async def test_postmortems_and_action_items_are_shown_with_their_incident(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.resolve("shop/checkout")
    armed = await desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")
    incident_id = armed["owner_id"]
    item = ActionItemRequested(
        id=uuid.uuid4(),
        key=str(incident_id),
        incident_id=incident_id,
        by="ana",
        via="api",
        number="INC-1",
        title="more disk\x00",
        owner="bo",
        due_at=datetime.now(UTC) + timedelta(days=3),
        priority=Priority.P2,
        policy_version="p1",
    )
    await desk.review(postmortem(incident_id, armed), item)
    [owed] = await desk.store.reads.postmortems()
    assert isinstance(owed.what, Postmortem)
    assert (owed.incident_id, owed.what.status, owed.what.owner) == (incident_id, "open", "ana")
    [todo] = await desk.store.reads.action_items(incident_id)
    assert isinstance(todo.what, ActionItem)
    assert await desk.store.reads.action_items(None) == [todo]
    assert await desk.store.reads.action_item(todo.what.id) == todo
    assert await desk.store.reads.action_item(uuid.uuid4()) is None
    done = ActionItemCompleted(
        id=uuid.uuid4(), key=str(incident_id), incident_id=incident_id, by="bo", via="api", item_id=todo.what.id
    )
    await desk.review(done)
    assert await desk.value("SELECT done_at FROM action_item") is not None
    assert await desk.value("SELECT title FROM action_item") == "more disk\ufffd"


async def test_a_publication_is_kept_once_and_forgotten_when_it_is_over_and_old(desk: Desk) -> None:
    await desk.handle(alerts())
    incident_id = await desk.incident_id("shop/checkout")
    recent = publication(incident_id, T0.replace(year=2020))
    await desk.store.publish(recent)
    await desk.store.publish(replace(recent, body="another text"))
    assert await desk.store.reads.publications() == [recent]
    await desk.resolve("shop/checkout")
    assert await desk.store.reads.publications() == []
    fresh = publication(incident_id, await desk.store.reads.now())
    await desk.store.publish(fresh)
    assert await desk.store.reads.publications() == [fresh]


async def test_the_figures(desk: Desk) -> None:
    assert await desk.store.reads.figures() == Figures()
    await desk.handle(alerts("a"), alerts("b", severity=Severity.SEV4), alerts("c"))
    await desk.resolve("c")
    await desk.rows("UPDATE deadline SET due_at = now() - interval '90 s', next_at = now() WHERE name = 'acknowledge'")
    await desk.rows("UPDATE delivery SET created_at = now() - interval '50 s' WHERE kind = 'page'")
    figures = await desk.store.reads.figures()
    assert figures.open_incidents == {"SEV1": 1, "SEV4": 1}
    assert figures.pending_deliveries["pagerduty"] == 1
    assert 49 < figures.oldest_pending_page_seconds < 80
    assert figures.due_deadlines == 1
    assert 89 < figures.oldest_due_deadline_seconds < 120


async def test_a_page_that_was_superseded_is_waited_for_as_long_as_nobody_could_be_reached(desk: Desk) -> None:
    """Else the watchdog would be told that all is well every time the chain goes on."""
    await desk.handle(alerts("a"))
    await desk.rows("UPDATE delivery SET created_at = now() - interval '400 s' WHERE kind = 'page'")
    await desk.escalate("a")
    assert (await desk.store.reads.figures()).oldest_pending_page_seconds > 399
    [page] = await desk.store.outbox.claim("pagerduty", 10, LEASE)
    await desk.store.outbox.finish([(page, Delivered("sent"), None)])
    await desk.escalate("a")
    assert (await desk.store.reads.figures()).oldest_pending_page_seconds < 30, "since the last that got through"
    await desk.rows("UPDATE delivery SET created_at = now() - interval '400 s' WHERE kind = 'page'")
    await desk.acknowledge("a")
    assert (await desk.store.reads.figures()).oldest_pending_page_seconds == 0
    await desk.escalate("a")
    assert (await desk.store.reads.figures()).oldest_pending_page_seconds < 30, "since somebody had it"


async def test_what_was_refused_is_counted(desk: Desk) -> None:
    await desk.handle(alerts("a"), alerts("b"))
    claims = await desk.store.outbox.claim("slack", 10, LEASE)
    await desk.store.outbox.finish([(one, Refused("no"), None) for one in claims])
    assert (await desk.store.reads.figures()).refused_deliveries == {"slack": 2}


async def test_a_policy_stays_as_it_was_first_seen(desk: Desk) -> None:
    await desk.store.save_policy("v1", "default", "schema_version: 1")
    await desk.store.save_policy("v1", "default", "another")
    assert await desk.store.policy_text("v1") == "schema_version: 1"
    assert await desk.store.policy_text("v2") is None


async def test_a_group_reaches_all_that_were_told_of_its_alerts_also_before_they_have_an_incident(desk: Desk) -> None:
    await desk.store.remember_groups([("g", "b"), ("g", "a"), ("other", "c")])
    await desk.store.remember_groups([("g", "a")])
    assert await desk.store.keys_of_groups(["none", "g"]) == {"g": ["a", "b"]}
    await desk.handle(alerts("a", group="g"), alerts("b", group="g"))
    await desk.resolve("a")
    assert await desk.store.keys_of_groups(["none", "g"]) == {"g": ["a", "b"]}
    await desk.rows("UPDATE alert_group SET told_at = told_at - interval '25 hours'")
    assert await desk.store.keys_of_groups(["none", "g"]) == {"g": ["b"]}, "what has long resolved needs no news"
    await desk.store.remember_groups([("g", "a")])
    assert await desk.store.keys_of_groups(["none", "g"]) == {"g": ["a", "b"]}


def publication(incident_id: uuid.UUID, at: datetime) -> Publication:
    return Publication(
        delivery_id=uuid.uuid4(),
        incident_id=incident_id,
        number="INC-1",
        title="Checkout",
        stage="investigating",
        impact="critical",
        component="checkout",
        body="We are looking.",
        started_at=at,
        at=at,
    )


async def test_a_tickets_address_is_known_and_slack_hears_of_it(desk: Desk) -> None:
    await desk.handle(alerts(severity=Severity.SEV1))
    incident_id = await desk.incident_id("shop/checkout")
    assert await desk.store.reads.tickets([incident_id]) == {}
    refs = '{"ticket": "OPS-9", "ticket_url": "https://tickets.example/OPS-9"}'
    await desk.rows("INSERT INTO receipt (incident_id, provider, refs) VALUES (%s, 'ticket', %s)", incident_id, refs)
    assert await desk.store.reads.tickets([incident_id, uuid.uuid4()]) == {
        incident_id: Ticket("https://tickets.example/OPS-9", "OPS-9")
    }
    [message] = await desk.store.outbox.claim("slack", 1, timedelta(seconds=30))
    assert message.receipts == {"ticket_url": "https://tickets.example/OPS-9"}
    [page] = await desk.store.outbox.claim("pagerduty", 1, timedelta(seconds=30))
    assert page.receipts == {}
