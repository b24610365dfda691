"""What PagerDuty tells us stops an escalation, and what it must not be able to do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from models.state import Incident
from models.store.errors import Unavailable
from streams import topics
from streams.web.pagerduty import PATH, signed
from tests.web.conftest import PAGERDUTY_SECRETS
from tests.web.world import World, webhook

OLD, NEW = PAGERDUTY_SECRETS
ALICE = {"id": "PUSER01", "type": "user_reference", "summary": "Älice"}
ROBOT = {"id": "PSVC001", "type": "inbound_integration_reference", "summary": "Events API"}


def event(incident: Incident, kind: str = "incident.acknowledged", **changes: Any) -> bytes:
    data = {"id": "PINC0001", "type": "incident", "number": 42, "incident_key": f"{incident.id}/1"}
    return json.dumps(
        {
            "event": {
                "id": "01EVENT",
                "event_type": kind,
                "resource_type": "incident",
                "agent": ALICE,
                "data": data,
                **changes,
            }
        }
    ).encode()


def signature(body: bytes, secret: str) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def told(anybody: httpx.AsyncClient, body: bytes, webhook_id: str = "w-1", secret: str = OLD) -> httpx.Response:
    headers = {"X-PagerDuty-Signature": signature(body, secret), "X-Webhook-Id": webhook_id}
    return await anybody.post(PATH, content=body, headers=headers)


@pytest.fixture
async def incident(sender: httpx.AsyncClient, world: World) -> Incident:
    await sender.post("/webhooks/alertmanager", json=webhook())
    return next(iter(world.store.incidents_by_id.values()))


def now(world: World, incident: Incident) -> Incident:
    return world.store.incidents_by_id[incident.id]


@pytest.mark.parametrize("secret", PAGERDUTY_SECRETS)
async def test_an_acknowledgement_in_the_app_stops_our_escalation(
    anybody: httpx.AsyncClient, world: World, incident: Incident, secret: str
) -> None:
    answer = await told(anybody, event(incident), secret=secret)
    assert answer.status_code == 200, answer.text
    assert (now(world, incident).status, now(world, incident).acknowledged_by) == ("acknowledged", "Älice")


async def test_one_good_signature_among_several_is_enough(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    body = event(incident)
    headers = {"X-PagerDuty-Signature": f"v1={'0' * 64}, {signature(body, NEW)}"}
    assert (await anybody.post(PATH, content=body, headers=headers)).status_code == 200
    assert now(world, incident).status == "acknowledged"


async def test_a_person_resolves_and_a_machine_does_not(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    for agent in (ROBOT, None):
        for kind in ("incident.resolved", "incident.acknowledged"):
            answer = await told(anybody, event(incident, kind, agent=agent), f"{kind}/{agent}")
            assert answer.json() == {"ignored": "an event that changes nothing here"}
    assert now(world, incident).status == "triggered"
    await told(anybody, event(incident, "incident.resolved"), "by-a-person")
    assert (now(world, incident).status, now(world, incident).resolved_by) == ("resolved", "Älice")


async def test_a_redelivery_changes_nothing(anybody: httpx.AsyncClient, world: World, incident: Incident) -> None:
    answers = [await told(anybody, event(incident)) for _ in range(3)]
    assert len({answer.json()["signal_id"] for answer in answers}) == 1
    kinds = [entry.event.kind for _, entry in world.store.log]
    assert kinds.count("acknowledged") == 1


async def test_what_is_not_signed_tells_no_events_apart(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    replayed = [await told(anybody, event(incident), webhook_id) for webhook_id in ("w-1", "w-2")]
    assert len({answer.json()["signal_id"] for answer in replayed}) == 1
    later = await told(anybody, event(incident, "incident.resolved", id="02EVENT"), "w-1")
    assert later.json()["signal_id"] != replayed[0].json()["signal_id"]
    assert now(world, incident).status == "resolved"


@pytest.mark.parametrize(
    "given_signature",
    [
        "",
        "v1=",
        "v1",
        "v2=" + "0" * 64,
        "v1=" + "0" * 64,
        "v1=ÿþ",
        ",,,,",
        "v1=" + "f" * 10_000,
        ",".join(["v1=" + "0" * 64] * 500),
    ],
)
async def test_garbage_for_a_signature_is_401(
    anybody: httpx.AsyncClient, world: World, incident: Incident, given_signature: str
) -> None:
    headers = [(b"X-PagerDuty-Signature", given_signature.encode("latin-1"))]
    answer = await anybody.post(PATH, content=event(incident), headers=headers)
    assert answer.status_code == 401
    assert now(world, incident).status == "triggered"


async def test_a_changed_body_is_401(anybody: httpx.AsyncClient, incident: Incident) -> None:
    body = event(incident)
    headers = {"X-PagerDuty-Signature": signature(body, OLD)}
    assert (await anybody.post(PATH, content=body + b" ", headers=headers)).status_code == 401


@given(st.text(), st.binary(max_size=50))
def test_no_signature_is_valid_without_a_secret(signatures: str, body: bytes) -> None:
    assert not signed(body, signatures, ())
    assert not signed(body, signatures, [SecretStr("a secret that nobody guesses")])


async def test_what_is_signed_but_none_of_our_business_is_200(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    before = len(world.records(topics.SIGNALS))
    bodies = [
        event(incident, "incident.escalated"),
        event(incident, "incident.annotated"),
        event(incident, data={"incident_key": "checkout/burn"}),
        event(incident, data={"incident_key": None}),
        event(incident, data={"incident_key": f"{incident.id}"}),
        event(incident, data={"incident_key": "00000000-0000-4000-8000-000000000000/1"}),
        event(incident, data={"incident_key": "\0/1"}),
        json.dumps({"event": {"id": "1", "event_type": "pagey.ping", "data": {"message": "hello"}}}).encode(),
        b"{}",
        b"not JSON",
        b"[" * 100_000,
    ]
    for place, body in enumerate(bodies):
        answer = await told(anybody, body, str(place))
        assert answer.status_code == 200, body[:200]
        assert "ignored" in answer.json()
    assert len(world.records(topics.SIGNALS)) == before


async def test_while_broker_or_database_is_away_pagerduty_comes_again(
    anybody: httpx.AsyncClient, world: World, incident: Incident
) -> None:
    world.reads.away = Unavailable("gone")
    assert (await told(anybody, event(incident))).status_code == 503
    world.reads.away = None
    world.broken = asyncio.Event().wait
    started = time.monotonic()
    assert (await told(anybody, event(incident))).status_code == 503
    assert time.monotonic() - started < 5
    world.broken = None
    assert (await told(anybody, event(incident))).status_code == 200
    assert now(world, incident).status == "acknowledged"
