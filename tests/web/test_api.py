"""Stories of people who answer incidents by the API."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.deliveries import DeliveryKind
from models.signals import AcknowledgeRequested, decode_signal
from models.store.errors import Unavailable
from streams import topics
from streams.clock import utc_now
from streams.settings import Settings
from streams.values import Bind
from streams.web.commands import FORGET_AFTER, Commands
from tests.web.conftest import client_of, served
from tests.web.world import World, webhook

Client = httpx.AsyncClient
Json = dict[str, Any]


async def declared(api: Client, **fields: Any) -> Json:
    """An incident that somebody declared."""
    asked = {"title": "Checkout is down", "severity": "SEV1", "service": "checkout", "by": "alice", **fields}
    answer = await api.post("/api/v1/incidents", json=asked)
    assert answer.status_code == 201, answer.text
    incident: Json = answer.json()["incident"]
    return incident


async def test_a_checklist_is_shown_and_ticked(sender: Client, api: Client) -> None:
    body = webhook()
    body["alerts"][0]["labels"]["alertname"] = "PostgresDown"
    assert (await sender.post("/webhooks/alertmanager", json=body)).status_code == 202
    [incident] = (await api.get("/api/v1/incidents")).json()["incidents"]
    here = f"/api/v1/incidents/{incident['number']}/checklist"
    assert (await api.post(here, json={"step": 2, "by": "bob"})).json()["changed"] is True
    shown = (await api.get(here)).json()
    assert (shown["name"], shown["done"], shown["steps"][1]["ticked_by"]) == ("database-down", 1, "bob")
    assert shown["steps"][0]["phase"] == "immediate"
    beyond = await api.post(here, json={"step": 99})
    assert (beyond.status_code, beyond.json()["hint"]) == (422, "Its steps are 1 to 13.")


async def test_what_a_person_declares_has_the_checklist_of_the_kind_they_name(api: Client) -> None:
    incident = await declared(api, kind="database_down")
    here = f"/api/v1/incidents/{incident['number']}"
    assert (await api.get(f"{here}/checklist")).json()["name"] == "database-down"
    asked = {"title": "Odd", "severity": "SEV3", "kind": "ghost"}
    answer = await api.post("/api/v1/incidents", json=asked)
    assert (answer.status_code, "the policy knows no 'ghost'" in answer.text) == (422, True)


async def test_what_a_person_declared_has_no_checklist(api: Client) -> None:
    incident = await declared(api)
    here = f"/api/v1/incidents/{incident['number']}/checklist"
    assert (await api.get(here)).json()["name"] is None
    assert "no checklist" in (await api.post(here, json={"step": 1})).json()["hint"]


async def test_an_alert_is_acknowledged_followed_and_resolved(sender: Client, api: Client) -> None:
    assert (await sender.post("/webhooks/alertmanager", json=webhook())).status_code == 202
    [incident] = (await api.get("/api/v1/incidents", params={"status": "triggered"})).json()["incidents"]
    here = f"/api/v1/incidents/{incident['number']}"
    assert (incident["severity"], incident["priority"], incident["level"]) == ("SEV1", "P0", "primary")

    taken = (await api.post(f"{here}/acknowledge", json={"by": "alice"})).json()
    assert (taken["changed"], taken["incident"]["status"]) == (True, "acknowledged")
    assert (await api.post(f"{here}/acknowledge", json={"by": "bob"})).json()["changed"] is False

    told = {"message": "A bad deploy; rolling back.", "stage": "identified", "by": "alice"}
    assert (await api.post(f"{here}/updates", json=told)).json()["incident"]["stage"] == "identified"
    lowered = {"severity": "SEV2", "reason": "half of the shops work", "by": "alice"}
    assert (await api.post(f"{here}/severity", json=lowered)).json()["incident"]["severity"] == "SEV2"
    paged = (await api.post(f"{here}/escalate", json={"level": "manager", "by": "alice"})).json()["incident"]
    assert (paged["level"], paged["status"]) == ("manager", "triggered")
    led = (await api.post(f"{here}/roles", json={"role": "incident_commander", "person": "bob", "by": "alice"})).json()
    assert led["incident"]["roles"] == {"primary_resolver": "alice", "incident_commander": "bob"}
    over = (await api.post(f"{here}/resolve", json={"by": "alice", "note": "rolled back"})).json()["incident"]
    assert (over["status"], over["resolved_by"], over["firing"]) == ("resolved", "alice", 1)

    late = await api.post(f"{here}/acknowledge")
    assert (late.status_code, late.json()["changed"]) == (200, False)
    timeline = (await api.get(f"{here}/timeline")).json()
    kinds = [entry["kind"] for entry in timeline]
    assert [entry["seq"] for entry in timeline] == list(range(1, len(kinds) + 1))
    assert {"incident_opened", "level_paged", "acknowledged", "update_posted", "incident_resolved"} <= set(kinds)
    ledger = (await api.get(f"{here}/deadlines")).json()
    assert {deadline["status"] for deadline in ledger if deadline["name"] == "acknowledge"} <= {
        "cancelled",
        "superseded",
    }
    assert {delivery["kind"] for delivery in (await api.get(f"{here}/deliveries")).json()} >= {"page", "resolution"}


async def test_a_person_declares_what_no_alert_has_reported(api: Client, world: World) -> None:
    incident = await declared(api, severity="SEV2", tier=3)
    assert (incident["priority"], incident["why"]) == ("P2", ["declared SEV2 by alice"])
    other = await declared(api)
    assert other["number"] != incident["number"]


async def test_a_command_with_an_idempotency_key_happens_once(api: Client, world: World) -> None:
    asked = {"title": "Checkout is down", "severity": "SEV1"}
    key = {"Idempotency-Key": "again-and-again"}
    answers = [await api.post("/api/v1/incidents", json=asked, headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["incident"]["number"] for answer in answers}) == 1
    here = f"/api/v1/incidents/{answers[0].json()['incident']['number']}"
    escalated = [await api.post(f"{here}/escalate", headers=key) for _ in range(3)]
    assert [len(answer.json()["incident"]["pages"]) for answer in escalated] == [2, 2, 2]
    assert {answer.json()["changed"] for answer in escalated} == {True}


async def test_the_list_is_filtered_and_goes_on_where_the_page_before_ended(api: Client) -> None:
    numbers = [(await declared(api, title=f"Trouble {n}", service=f"s{n % 2}"))["number"] for n in range(7)]
    await api.post(f"/api/v1/incidents/{numbers[0]}/resolve")
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await api.get("/api/v1/incidents", params={"limit": 3, **after})).json()
        seen += [incident["number"] for incident in page["incidents"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == numbers[::-1]
    wanted = await api.get("/api/v1/incidents?status=triggered&status=acknowledged&service=s0")
    assert [incident["number"] for incident in wanted.json()["incidents"]] == [numbers[n] for n in (6, 4, 2)]


async def test_what_cannot_be_handled_yet_is_202_and_kept(api: Client, anybody: Client, world: World) -> None:
    """And the worker is told of as stalled, though nothing else may be due: a quiet system without one looked well."""
    incident = await declared(api)
    world.asleep = True
    async with asyncio.timeout(9):
        answer = await api.post(f"/api/v1/incidents/{incident['number']}/acknowledge", timeout=8)
    assert answer.status_code == 202
    signal = decode_signal(world.records(topics.SIGNALS)[-1].value)
    assert isinstance(signal, AcknowledgeRequested)
    assert answer.json()["signal_id"] == str(signal.id)
    assert "`tocsin doctor`" in answer.json()["hint"]
    ready = await anybody.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["worker"]) == (200, "degraded", "stalled")
    world.reads.changed[signal.id] = True
    assert (await anybody.get("/health/ready")).json()["worker"] == "ok"


async def test_a_command_that_became_a_dead_letter_is_no_sign_of_a_worker_for_ever(world: World) -> None:
    commands = Commands(world.ports(), wait=0)
    assert await commands.outcome(uuid.uuid4()) is None
    assert await commands.waits()
    world.ahead += timedelta(seconds=FORGET_AFTER + 1)
    assert not await commands.waits()


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("", {"severity": "SEV1"}, "title"),
        ("", {"title": "Down", "severity": "SEV9"}, "severity"),
        ("", {"title": "Down", "severity": "INFO"}, "severity"),
        ("", {"title": " ", "severity": "SEV1"}, "title: must not be empty"),
        ("", {"title": "Do\0wn", "severity": "SEV1"}, "NUL"),
        ("", {"title": "Down \ud800", "severity": "SEV1"}, "unicode"),
        ("", {"title": "x" * 301, "severity": "SEV1"}, "title"),
        ("", {"title": "Down", "severity": "SEV1", "sevrity": "SEV2"}, "sevrity"),
        ("/{number}/escalate", {"level": "cto"}, "'cto'"),
        ("/{number}/updates", {"message": "over", "stage": "resolved"}, "stage"),
        ("/{number}/updates", {"message": " \n"}, "message: must not be empty"),
        ("/{number}/severity", {"severity": "SEV3"}, "reason"),
        ("/{number}/acknowledge", {"by": ""}, "by"),
        ("/{number}/action-items", {"title": "Fix", "owner": "bob", "due_at": "2026-12-01T12:00:00"}, "due_at"),
        ("/{number}/action-items", {"title": "Fix", "owner": "bob", "due_at": "tomorrow"}, "due_at"),
        ("/{number}/action-items", {"title": "Fix", "owner": "bob", "due_at": "9999-12-31T20:00-12:00"}, "due_at"),
        ("/{number}/postmortem/complete", {"url": "javascript:alert(1)"}, "url"),
    ],
)
async def test_a_wrong_field_is_named(api: Client, world: World, path: str, asked: Json, said: str) -> None:
    number = (await declared(api))["number"]
    before = len(world.published)
    body, kind = json.dumps(asked), {"Content-Type": "application/json"}
    answer = await api.post("/api/v1/incidents" + path.format(number=number), content=body, headers=kind)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert len(world.published) == before


async def test_an_unknown_level_is_answered_with_those_there_are(api: Client) -> None:
    number = (await declared(api))["number"]
    for answer in (
        await api.post(f"/api/v1/incidents/{number}/escalate", json={"level": "cto"}),
        await api.post("/api/v1/pages/test", json={"level": "cto"}),
    ):
        assert answer.json()["hint"] == "It has: primary, secondary, manager."


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"title": 1' + b"9" * 5000 + b"}"])
async def test_a_body_that_is_no_command_is_an_error_of_our_shape(api: Client, body: bytes) -> None:
    answer = await api.post("/api/v1/incidents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"error", "hint"}


async def test_a_command_of_megabytes_is_not_read(api: Client) -> None:
    answer = await api.post("/api/v1/incidents", json={"title": "x" * 3_000_000, "severity": "SEV1"})
    assert answer.status_code == 413


@pytest.mark.parametrize("number", ["INC-2026-0101-999", "%00", "..%2f..", "x" * 5000, "'; drop table"])
async def test_an_unknown_incident_is_404(api: Client, number: str) -> None:
    for answer in (
        await api.get(f"/api/v1/incidents/{number}"),
        await api.post(f"/api/v1/incidents/{number}/acknowledge"),
    ):
        assert (answer.status_code, set(answer.json())) == (404, {"error", "hint"})


@pytest.mark.parametrize("after", ["nonsense", "AAAA", "é", "MjAyNiBmb28="])
async def test_a_cursor_of_ones_own_making_is_refused(api: Client, after: str) -> None:
    assert (await api.get("/api/v1/incidents", params={"after": after})).status_code == 422
    assert (await api.get("/api/v1/incidents", params={"service": "\0"})).status_code == 422


async def test_without_the_token_nothing_is_told(anybody: Client, api: Client) -> None:
    number = (await declared(api))["number"]
    for path in ("/incidents", f"/incidents/{number}", "/deliveries", "/deadlines", "/policy", "/action-items"):
        assert (await anybody.get(f"/api/v1{path}")).status_code == 401, path
    refused = await anybody.post(f"/api/v1/incidents/{number}/resolve", headers={"Authorization": "Bearer guess"})
    assert refused.status_code == 401
    assert (await api.get(f"/api/v1/incidents/{number}")).json()["status"] == "triggered"


async def test_without_a_token_a_page_on_the_web_cannot_reach_the_loopback_port() -> None:
    world = World(Settings(web_bind=Bind("127.0.0.1", 0)))
    async with served(world) as address, client_of(address) as client:
        assert (await client.get("/api/v1/incidents")).status_code == 200
        asked = {"title": "Down", "severity": "SEV1"}
        crossed = await client.post("/api/v1/incidents", json=asked, headers={"Sec-Fetch-Site": "cross-site"})
        rebound = await client.get("/api/v1/incidents", headers={"Host": "evil.example:8080"})
        assert (crossed.status_code, rebound.status_code) == (403, 403)


@pytest.mark.parametrize("fault", [Unavailable("gone"), TimeoutError(), ConnectionRefusedError()], ids=repr)
async def test_while_the_database_is_away_the_answer_is_503(api: Client, world: World, fault: Exception) -> None:
    number = (await declared(api))["number"]
    world.reads.away = fault
    for answer in (
        await api.get("/api/v1/incidents"),
        await api.post(f"/api/v1/incidents/{number}/acknowledge"),
        await api.post("/api/v1/pages/test"),
    ):
        assert (answer.status_code, set(answer.json())) == (503, {"error", "hint"})
    world.reads.away = None
    assert (await api.post(f"/api/v1/incidents/{number}/acknowledge")).status_code == 200


async def test_a_postmortem_and_its_action_items(api: Client) -> None:
    number = (await declared(api))["number"]
    here = f"/api/v1/incidents/{number}"
    held = {"url": "https://wiki.example/pm/1", "by": "alice"}
    assert (await api.post(f"{here}/postmortem/complete", json=held)).status_code == 404
    await api.post(f"{here}/resolve", json={"by": "alice"})
    [owed] = (await api.get("/api/v1/postmortems", params={"status": "open"})).json()
    assert (owed["number"], owed["status"]) == (number, "open")

    due_at = (utc_now() + timedelta(days=3)).isoformat()
    asked = {"title": "Canary every deploy", "owner": "bob", "due_at": due_at, "priority": "P1"}
    key = {"Idempotency-Key": "one"}
    added = [await api.post(f"{here}/action-items", json=asked, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in added] == [201, 201]
    [item] = (await api.get(f"{here}/action-items")).json()
    assert item == added[1].json()["action_item"]
    done = await api.post(f"/api/v1/action-items/{item['id']}/complete", json={"by": "bob"})
    assert done.json()["action_item"]["done_at"] is not None
    assert (await api.get("/api/v1/action-items", params={"status": "open"})).json() == []
    assert len((await api.get("/api/v1/action-items", params={"status": "done", "owner": "bob"})).json()) == 1
    unknown = await api.post("/api/v1/action-items/00000000-0000-4000-8000-000000000000/complete")
    assert unknown.status_code == 404

    closed = (await api.post(f"{here}/postmortem/complete", json=held)).json()
    assert (closed["changed"], closed["postmortem"]["status"]) == (True, "completed")
    assert (await api.post(f"{here}/postmortem/complete", json=held)).json()["changed"] is False


async def test_a_test_page_is_a_delivery_that_can_be_followed(api: Client, world: World) -> None:
    key = {"Idempotency-Key": "check"}
    answers = [await api.post("/api/v1/pages/test", json={"level": "secondary"}, headers=key) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {202}
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["recording"] is True
    page = (await api.get(f"/api/v1/deliveries/{answers[0].json()['delivery_id']}")).json()
    assert (page["kind"], page["level"], page["test"]) == ("page", "secondary", True)
    assert len(world.store.outbox) == 1
    assert world.records(topics.DELIVERIES_PAGERDUTY)


async def test_what_was_not_sent_as_json_says_so(api: Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}  # as `curl --data` without more
    answer = await api.post("/api/v1/incidents", content=b'{"title": "x", "severity": "SEV2"}', headers=form)
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["hint"]


async def test_commands_of_the_command_line_say_so(api: Client) -> None:
    number = (await declared(api))["number"]
    here = f"/api/v1/incidents/{number}"
    await api.post(f"{here}/acknowledge", json={"by": "alice"}, headers={"X-Tocsin-Via": "cli"})
    [taken] = [entry for entry in (await api.get(f"{here}/timeline")).json() if entry["kind"] == "acknowledged"]
    assert (taken["event"]["by"], taken["event"]["via"]) == ("alice", "cli")
    assert (await api.post(f"{here}/resolve", headers={"X-Tocsin-Via": "carrier pigeon"})).status_code == 422


async def test_what_is_armed_comes_soonest_first(api: Client) -> None:
    await declared(api)
    await declared(api, severity="SEV2")
    dues = [deadline["due_at"] for deadline in (await api.get("/api/v1/deadlines")).json()]
    assert len(dues) >= 2
    assert dues == sorted(dues)


async def test_the_policy_in_force_can_be_read(api: Client) -> None:
    answer = (await api.get("/api/v1/policy")).json()
    assert answer["policy"]["name"] == "default"
    assert len(answer["version"]) == 12


async def test_incidents_are_merged_split_and_frozen(api: Client) -> None:
    first, second = await declared(api), await declared(api, service="shop", title="Nothing can be bought")
    here = f"/api/v1/incidents/{second['number']}"
    merged = (await api.post(f"{here}/merge", json={"into": first["number"], "by": "alice"})).json()["incident"]
    assert (merged["attached_to"], merged["status"]) == (first["number"], "acknowledged")
    listed = (await api.get("/api/v1/incidents", params={"attached_to": first["number"]})).json()["incidents"]
    assert [one["number"] for one in listed] == [second["number"]]
    alone = (await api.post(f"{here}/split")).json()["incident"]
    assert (alone["attached_to"], alone["status"]) == (None, "triggered")
    assert (await api.post(f"{here}/freeze")).json()["incident"]["frozen"] is True
    assert (await api.post(f"{here}/freeze", json={"frozen": False})).json()["incident"]["frozen"] is False


async def test_what_cannot_be_merged_says_why(api: Client) -> None:
    numbers = [(await declared(api, service=name))["number"] for name in ("checkout", "shop", "billing")]
    one, two, three = numbers
    assert (await api.post(f"/api/v1/incidents/{two}/merge", json={"into": one})).json()["changed"] is True
    for into, said in ((three, "is this incident itself"), (two, f"is attached to {one}"), ("INC-0", "no incident")):
        answer = await api.post(f"/api/v1/incidents/{three}/merge", json={"into": into})
        assert (answer.status_code, said in answer.text) == (404 if into == "INC-0" else 422, True), answer.text
    await api.post(f"/api/v1/incidents/{one}/resolve")
    answer = await api.post(f"/api/v1/incidents/{three}/merge", json={"into": one})
    assert (answer.status_code, "is resolved" in answer.text) == (422, True)


async def test_the_tickets_address_is_shown_once_it_is_known(api: Client, world: World) -> None:
    incident = await declared(api, severity="SEV3")
    assert incident["ticket"] is None
    [ticket] = [sent for sent in world.store.outbox if sent.delivery.kind is DeliveryKind.TICKET]
    ticket.receipts = {"ticket": "OPS-9", "ticket_url": "https://tickets.example/OPS-9"}
    here = f"/api/v1/incidents/{incident['number']}"
    expected = {"id": "OPS-9", "url": "https://tickets.example/OPS-9"}
    [listed] = (await api.get("/api/v1/incidents")).json()["incidents"]
    taken = (await api.post(f"{here}/acknowledge")).json()["incident"]
    explained = (await api.get(f"{here}/explain")).json()
    shown = (await api.get(here)).json()
    assert [one["ticket"] for one in (listed, taken, explained, shown)] == [expected] * 4


async def test_an_incident_is_given_another_chain(api: Client, world: World) -> None:
    incident = await declared(api)
    here = f"/api/v1/incidents/{incident['number']}"
    assert incident["chain"] is None
    unknown = await api.post(f"{here}/policy", json={"chain": "payments"})
    assert (unknown.status_code, unknown.json()["hint"]) == (422, "It has: default.")
    given = (await api.post(f"{here}/policy", json={"chain": "default", "by": "ana"})).json()
    assert (given["changed"], given["incident"]["chain"]) == (True, "default")
    assert len(given["incident"]["pages"]) == 1, "the same people"
    assert (await api.post(f"{here}/policy", json={"chain": "default"})).json()["changed"] is False
    assert (await api.get(f"{here}/timeline")).json()[-1]["kind"] == "policy_reassigned"
    reasons = (await api.get(f"{here}/explain")).json()["reasons"]
    assert any("the chain default from now on (ana)" in reason["text"] for reason in reasons)
