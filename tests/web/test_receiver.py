"""What Alertmanager is told, and what becomes of what it sent."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import Unreadable
from models.signals import AlertsReported, decode_signal
from streams import topics
from streams.settings import Settings
from streams.values import Bind
from streams.web import publishing, receiver
from streams.web.app import build
from tests.web.conftest import SENDERS, client_of, served
from tests.web.world import World, webhook

PATH = receiver.PATH
MIB = 1024 * 1024


async def test_an_accepted_webhook_is_on_its_topic_as_it_was_sent(sender: httpx.AsyncClient, world: World) -> None:
    body = json.dumps(webhook(notification_reason="first notification")).encode()
    answer = await sender.post(PATH, content=body, headers={"Content-Type": "text/plain"})
    [record] = world.records(topics.WEBHOOKS)
    assert answer.status_code == 202
    assert record.value == body
    assert record.headers["sender"] == b"prod"
    assert record.headers["webhook_id"].decode() == answer.json()["webhook_id"]
    assert record.key == b'prod/{}:{alertname="HighErrorRate"}'


@pytest.mark.parametrize("path", [PATH, PATH + "/", PATH + "//"])
async def test_a_trailing_slash_is_no_redirect(sender: httpx.AsyncClient, path: str) -> None:
    assert (await sender.post(path, json=webhook())).status_code == 202


async def test_the_password_of_basic_authentication_is_a_token_too(anybody: httpx.AsyncClient, world: World) -> None:
    answer = await anybody.post(PATH, json=webhook(), auth=("whoever", SENDERS["staging"]))
    assert answer.status_code == 202
    assert world.records(topics.WEBHOOKS)[0].headers["sender"] == b"staging"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer wrong",
        "Bearer pröd-secret",
        "Basic",
        "Basic %%%",
        "Basic " + base64.b64encode(b"prod:wrong").decode(),
        "Basic " + base64.b64encode(SENDERS["prod"].encode()).decode(),
        "Digest " + SENDERS["prod"],
        SENDERS["prod"],
    ],
)
async def test_without_a_valid_token_nothing_is_kept(
    anybody: httpx.AsyncClient, world: World, authorization: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    headers = [(b"Authorization", authorization.encode())] if authorization else []
    answer = await anybody.post(PATH, json=webhook(), headers=headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.json()["hint"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not world.published
    assert SENDERS["prod"] not in caplog.text


async def test_a_crowd_of_refusals_is_logged_once(anybody: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        await anybody.post(PATH, json=webhook())
    assert len([line for line in caplog.messages if "TOCSIN_WEBHOOK_TOKENS" in line]) == 1
    counted = (await anybody.get("/metrics")).text
    assert 'tocsin_requests_denied_total{area="webhooks"} 20.0' in counted


async def test_without_tokens_this_machine_is_the_sender_alertmanager() -> None:
    world = World(Settings(web_bind=Bind("127.0.0.1", 0)))
    async with served(world) as address, client_of(address) as client:
        assert (await client.post(PATH, json=webhook())).status_code == 202
        assert world.records(topics.WEBHOOKS)[0].headers["sender"] == b"alertmanager"
        for headers in (
            {"Host": "rebound.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil.example"},
        ):
            assert (await client.post(PATH, json=webhook(), headers=headers)).status_code == 403
    assert len(world.records(topics.WEBHOOKS)) == 1


DEEP = b"[" * 200_000
UNREADABLE = {
    "nothing": b"",
    "not JSON": b"alert!",
    "truncated": b'{"version": "4", "groupKey": "g", "status": "firing", "alerts": [',
    "not UTF-8": b'{"version": "4", "groupKey": "\xff\xfe"}',
    "null": b"null",
    "a list": b"[]",
    "an old version": json.dumps(webhook(version="3")).encode(),
    "a version that is a number": json.dumps(webhook(version=4)).encode(),
    "no groupKey": json.dumps({**webhook(), "groupKey": None}).encode(),
    "an empty groupKey": json.dumps(webhook(groupKey="")).encode(),
    "a status nobody knows": json.dumps(webhook(status="smouldering")).encode(),
    "alerts that are no list": json.dumps(webhook(alerts={})).encode(),
    "deep": DEEP,
    "deep in the alerts": b'{"version":"4","groupKey":"g","status":"firing","alerts":[' + DEEP,
    "half a surrogate": b'{"version":"4","groupKey":"\\ud800","status":"firing","alerts":[]}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_is_no_webhook_is_refused_kept_and_told(
    sender: httpx.AsyncClient, world: World, body: bytes
) -> None:
    answer = await sender.post(PATH, content=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "hint"}
    assert "\n" not in answer.json()["error"]
    [letter] = world.records(topics.DEAD_LETTERS)
    assert letter.value == body
    assert letter.headers["dead_letter_id"].decode() in answer.json()["hint"]
    signal = decode_signal(world.records(topics.SIGNALS)[0].value)
    assert isinstance(signal, AlertsReported)
    assert signal.title == "An alert from prod could not be read"
    assert not world.records(topics.WEBHOOKS)


async def test_repeats_of_a_refusal_join_one_incident(sender: httpx.AsyncClient, api: httpx.AsyncClient) -> None:
    for _ in range(3):
        await sender.post(PATH, content=b"alert!")
    [incident] = (await api.get("/api/v1/incidents")).json()["incidents"]
    assert (incident["severity"], incident["firing"]) == ("SEV2", 1)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_and_its_start_is_kept(
    sender: httpx.AsyncClient, world: World, *, chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"x" * MIB

    answer = await sender.post(PATH, content=chunks() if chunked else b"x" * 12 * MIB)
    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"
    [letter] = world.records(topics.DEAD_LETTERS)
    assert letter.value == b"x" * receiver.KEPT_OF_TOO_LARGE


async def test_a_body_just_within_the_limit_is_accepted(sender: httpx.AsyncClient, world: World) -> None:
    body = json.dumps(webhook(padding="x")).encode()
    body = body.replace(b'"x"', b'"' + b"x" * (receiver.BODY_LIMIT - len(body) + 1) + b'"')
    assert len(body) == receiver.BODY_LIMIT
    assert (await sender.post(PATH, content=body)).status_code == 202
    assert world.records(topics.WEBHOOKS)[0].value == body


@pytest.mark.parametrize("body", [json.dumps(webhook()).encode(), b"alert!"], ids=["webhook", "unreadable"])
@pytest.mark.parametrize("fault", [KafkaConnectionError(), ConnectionError("refused"), TimeoutError()], ids=repr)
async def test_while_the_broker_is_away_alertmanager_is_asked_to_come_again(
    sender: httpx.AsyncClient, world: World, fault: Exception, body: bytes
) -> None:
    async def away() -> None:
        raise fault

    world.broken = away
    answer = await sender.post(PATH, content=body)
    assert answer.status_code == 503
    assert "broker" in answer.json()["error"]
    world.broken = None
    again = await sender.post(PATH, content=body)
    assert again.status_code in {202, 400}


async def test_a_broker_that_hangs_is_503_within_seconds(sender: httpx.AsyncClient, world: World) -> None:
    world.broken = asyncio.Event().wait
    async with asyncio.timeout(publishing.WITHIN + 3):
        answers = await asyncio.gather(*(sender.post(PATH, json=webhook(), timeout=20) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}


async def test_a_body_larger_than_the_broker_takes_is_refused(sender: httpx.AsyncClient, world: World) -> None:
    async def refuse_once() -> None:
        world.broken = None
        raise Unreadable("too large")

    world.broken = refuse_once
    answer = await sender.post(PATH, json=webhook())
    assert answer.status_code == 413
    assert world.records(topics.DEAD_LETTERS)


async def test_other_methods_and_paths_are_errors_of_our_shape(sender: httpx.AsyncClient) -> None:
    for method, path, status in [("GET", PATH, 405), ("PUT", PATH, 405), ("POST", "/webhook", 404), ("POST", "/", 405)]:
        answer = await sender.request(method, path, json=webhook())
        assert (answer.status_code, set(answer.json())) == (status, {"error", "hint"}), path


async def test_a_crowd_beyond_the_bound_is_told_at_once_and_the_bound_opens_again() -> None:
    release = asyncio.Event()

    async def publish(records: Any) -> None:
        await release.wait()

    settled: list[int] = []
    gate = publishing.Publishing(publish, at_once=2, within=0.05)
    for number in range(2):
        with pytest.raises(TimeoutError):
            await gate.send([], lambda number=number: settled.append(number))  # type: ignore[misc]
    with pytest.raises(publishing.Crowded):
        await gate.send([])
    assert not settled
    release.set()
    await asyncio.wait_for(gate_is_open(gate), 5)
    assert settled == [0, 1]


async def gate_is_open(gate: publishing.Publishing) -> None:
    while True:
        try:
            return await gate.send([])
        except publishing.Crowded:
            await asyncio.sleep(0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
twisted = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("version", "groupKey", "status", "alerts", "truncatedAlerts", "externalURL", "more"), json_values
    ),
).map(lambda changes: json.dumps({**webhook(), **changes}).encode())
numbers = st.integers(min_value=1, max_value=6000).map(
    lambda digits: json.dumps(webhook(alerts=["N"])).replace('"N"', "9" * digits).encode()
)
ASLEEP = World(Settings())
ASLEEP.asleep = True
APP = build(ASLEEP.ports())


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()) | twisted | numbers)
def test_no_body_whatsoever_is_a_fault_of_ours(body: bytes) -> None:
    assert asyncio.run(posted(body)) in {202, 400}
    ASLEEP.published.clear()


async def posted(body: bytes) -> int:
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await APP(scope, receive, send)
    return statuses[0]
