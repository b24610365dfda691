"""Buttons in Slack stop an escalation, and what they must not be able to do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from models.policy import Person
from models.state import Incident
from models.store.errors import Unavailable
from streams import topics
from streams.clock import utc_now
from streams.web.slack import PATH, signed
from tests.web.conftest import SLACK_SECRET
from tests.web.test_pagerduty import event as pagerduty_event
from tests.web.test_pagerduty import told as pagerduty_told
from tests.web.world import World, webhook

REPLY = "https://hooks.slack.com/actions/T0/1/abc"


def press(incident_id: object, action: str = "tocsin_acknowledge", **changes: Any) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U0ZOE", "username": "zoe", "name": "Zöe", "team_id": "T0"},
        "trigger_id": "1.2.abc",
        "response_url": REPLY,
        "container": {"type": "message", "message_ts": "1.000001", "channel_id": "C0", "is_ephemeral": False},
        "actions": [
            {"type": "button", "action_id": action, "block_id": "x", "value": str(incident_id), "action_ts": "1.5"}
        ],
        **changes,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def headers(body: bytes, secret: str = SLACK_SECRET, stamp: object = None) -> dict[str, str]:
    stamp = int(time.time()) if stamp is None else stamp
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(stamp),
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


async def told(anybody: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await anybody.post(PATH, content=body, headers=headers(body))


async def replied(world: World, count: int = 1) -> str:
    """What the person who pressed last has read; replies follow their answers."""
    async with asyncio.timeout(5):
        while len(world.replies) < count:
            await asyncio.sleep(0)
    assert {url for url, _ in world.replies} == {REPLY}
    return world.replies[-1][1]


@pytest.fixture
async def incident(sender: httpx.AsyncClient, world: World) -> Incident:
    await sender.post("/webhooks/alertmanager", json=webhook())
    return next(iter(world.store.incidents_by_id.values()))


def now(world: World, incident: Incident) -> Incident:
    return world.store.incidents_by_id[incident.id]


async def test_a_button_in_slack_stops_the_escalation_and_whoever_pressed_is_told(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    answer = await told(anybody, press(incident.id))
    assert answer.status_code == 200, answer.text
    assert (now(world, incident).status, now(world, incident).acknowledged_by) == ("acknowledged", "Zöe (Slack)")
    assert await replied(world) == f"Done: {incident.number} is acknowledged by Zöe (Slack)."
    acknowledged = [entry.event for _, entry in world.store.log if entry.event.kind == "acknowledged"]
    assert [one.via for one in acknowledged] == ["slack"]


async def test_a_person_whom_the_policy_knows_goes_by_their_name_in_it(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    world.policy.policy.people["maria"] = Person(slack="U0MARIA")
    await told(anybody, press(incident.id, user={"id": "U0MARIA", "name": "m.huber"}))
    assert now(world, incident).acknowledged_by == "maria"


async def test_without_a_name_it_is_the_id(anybody: httpx.AsyncClient, world: World, incident: Incident) -> None:
    await told(anybody, press(incident.id, user={"id": "U0NEW"}))
    assert now(world, incident).acknowledged_by == "U0NEW (Slack)"


async def test_an_acknowledgement_in_slack_and_in_pagerduty_at_once_is_one(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    await asyncio.gather(
        told(anybody, press(incident.id)),
        pagerduty_told(anybody, pagerduty_event(incident)),
        told(anybody, press(incident.id)),
    )
    assert [entry.event.kind for _, entry in world.store.log].count("acknowledged") == 1
    assert "acknowledge" not in now(world, incident).deadlines
    assert await replied(world, 2) in {
        f"{what}: {incident.number} is acknowledged by {who}."
        for what in ("Done", "Nothing changed")
        for who in ("Zöe (Slack)", "Älice")
    }


async def test_escalate_and_resolve(anybody: httpx.AsyncClient, world: World, incident: Incident) -> None:
    await told(anybody, press(incident.id, "tocsin_escalate"))
    assert [page.level for page in now(world, incident).pages] == ["primary", "secondary"]
    assert await replied(world) == f"Done: {incident.number} is not acknowledged; secondary was paged last."
    await told(anybody, press(incident.id, "tocsin_resolve", trigger_id="2"))
    assert (now(world, incident).status, now(world, incident).resolved_by) == ("resolved", "Zöe (Slack)")
    assert await replied(world, 2) == f"Done: {incident.number} is resolved by Zöe (Slack)."
    await told(anybody, press(incident.id, trigger_id="3"))
    assert await replied(world, 3) == f"Nothing changed: {incident.number} is resolved by Zöe (Slack)."


async def test_one_press_that_comes_twice_is_one(anybody: httpx.AsyncClient, world: World, incident: Incident) -> None:
    body = press(incident.id, "tocsin_escalate")
    answers = [await told(anybody, body) for _ in range(3)]
    assert len({answer.json()["signal_id"] for answer in answers}) == 1
    assert len(now(world, incident).pages) == 2


async def test_an_incident_that_nobody_knows_is_said(anybody: httpx.AsyncClient, world: World) -> None:
    answer = await told(anybody, press("00000000-0000-4000-8000-000000000000"))
    assert answer.status_code == 200
    assert "not known here" in await replied(world)


async def test_while_no_worker_runs_the_press_is_kept_and_that_is_said(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    world.asleep = True
    before = len(world.records(topics.SIGNALS))
    assert (await told(anybody, press(incident.id))).status_code == 200
    assert len(world.records(topics.SIGNALS)) == before + 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: {**good, "X-Slack-Signature": "v0=" + "0" * 64},
        lambda good: {**good, "X-Slack-Signature": good["X-Slack-Signature"].replace("v0", "v1")},
        lambda good: {**good, "X-Slack-Signature": ""},
        lambda good: {**good, "X-Slack-Request-Timestamp": "now"},
        lambda good: {**good, "X-Slack-Request-Timestamp": "9" * 400},
        lambda good: {**good, "X-Slack-Request-Timestamp": str(int(good["X-Slack-Request-Timestamp"]) + 1)},
        lambda good: {"Content-Type": good["Content-Type"]},
    ],
)
async def test_garbage_for_a_signature_is_401(
    anybody: httpx.AsyncClient,
    world: World,
    incident: Incident,
    spoil: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    body = press(incident.id)
    answer = await anybody.post(PATH, content=body, headers=spoil(headers(body)))
    assert answer.status_code == 401
    assert "TOCSIN_SLACK_SIGNING_SECRET" in answer.json()["hint"]
    assert now(world, incident).status == "triggered"


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6)])
async def test_what_was_signed_too_long_ago_is_401(
    anybody: httpx.AsyncClient, world: World, incident: Incident, age: timedelta
) -> None:
    body = press(incident.id)
    stale = headers(body, stamp=int(time.time() - age.total_seconds()))
    assert (await anybody.post(PATH, content=body, headers=stale)).status_code == 401
    assert now(world, incident).status == "triggered"


async def test_another_secret_or_a_changed_body_is_401(anybody: httpx.AsyncClient, incident: Incident) -> None:
    body = press(incident.id)
    assert (await anybody.post(PATH, content=body, headers=headers(body, "another"))).status_code == 401
    assert (await anybody.post(PATH, content=body + b"&x=1", headers=headers(body))).status_code == 401


@given(st.text(), st.text(), st.binary(max_size=50))
def test_no_signature_is_valid_by_chance(stamp: str, signature: str, body: bytes) -> None:
    def clock() -> datetime:
        return utc_now()

    assert not signed(body, stamp, signature, None, clock)
    assert not signed(body, stamp, signature, SecretStr("a secret that nobody guesses"), clock)
    assert not signed(body, str(int(time.time())), signature, SecretStr("a secret that nobody guesses"), clock)


async def test_what_is_signed_but_no_button_of_ours_is_200(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    before = len(world.records(topics.SIGNALS))
    button = {"type": "button", "action_id": "tocsin_acknowledge", "value": "not an id"}
    bodies = [
        press(incident.id, "another_apps_button"),
        press(incident.id, type="view_submission"),
        press(incident.id, actions=[]),
        press(incident.id, actions=[button]),
        press(incident.id, actions=[{**button, "type": "static_select"}]),
        press(incident.id, user={}),
        press("\0"),
        urlencode({"payload": "not JSON"}).encode(),
        urlencode({"payload": "[" * 10_000}).encode(),
        urlencode([("payload", "{}"), ("payload", "{}")]).encode(),
        b"ssl_check=1",
        b"&".join([b"a=b"] * 100),
        b"\xff\xfe",
        b"",
    ]
    for body in bodies:
        answer = await anybody.post(PATH, content=body, headers=headers(body))
        assert answer.status_code == (401 if body == b"\xff\xfe" else 200), body[:200]
    assert len(world.records(topics.SIGNALS)) == before


async def test_while_broker_or_database_is_away_whoever_pressed_is_told(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    world.reads.away = Unavailable("gone")
    assert (await told(anybody, press(incident.id))).status_code == 503
    assert "press again" in await replied(world)
    world.reads.away = None
    world.broken = asyncio.Event().wait
    started = time.monotonic()
    assert (await told(anybody, press(incident.id))).status_code == 503
    assert time.monotonic() - started < 3
    assert "press again" in await replied(world, 2)
    world.broken = None
    assert (await told(anybody, press(incident.id))).status_code == 200
    assert now(world, incident).status == "acknowledged"
