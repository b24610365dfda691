"""What is sent wrongly is answered clearly, kept, and told once; what is right goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, encoded, new_service, webhook
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("running", ["embedded"], indirect=True)

MIB = 1024 * 1024


def changed(**changes: Any) -> bytes:
    return encoded(webhook(new_service("bad"), labels=URGENT, **changes))


def without(field: str) -> bytes:
    body = webhook(new_service("bad"))
    del body[field]
    return encoded(body)


def with_alert(**changes: Any) -> bytes:
    body = webhook(new_service("bad"))
    body["alerts"][0].update(changes)
    return encoded(body)


REFUSED = {
    "nothing": (b"", 400),
    "not JSON": (b"alerts: none", 400),
    "a list": (b"[]", 400),
    "null": (b"null", 400),
    "half": (changed()[:-20], 400),
    "invalid UTF-8": (changed().replace(b"fails", b"\xff\xfe"), 400),
    "version 3": (changed(version="3"), 400),
    "no groupKey": (without("groupKey"), 400),
    "groupKey null": (changed(groupKey=None), 400),
    "alerts of a wrong type": (changed(alerts="all of them"), 400),
    "deep": (
        b'{"version":"4","groupKey":"g","status":"firing","alerts":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        400,
    ),
    "over the limit": (b" " * (10 * MIB + 1), 413),
}
DEAD = {
    "no alerts": changed(alerts=[]),
    "alerts null": changed(alerts=None),
    "an alert that is null": changed(alerts=[None]),
    "labels of a wrong type": with_alert(labels=["a"]),
    "a label that is null": with_alert(labels={"alertname": None}),
    "no startsAt": with_alert(startsAt=None),
    "startsAt is no time": with_alert(startsAt="yesterday"),
    "startsAt without a zone": with_alert(startsAt="2026-01-05T03:12:44"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_a_webhook_is_refused_and_kept(stack: Stack, what: str) -> None:
    body, status = REFUSED[what]
    answer = stack.send(body)
    assert answer.status_code == status
    problem = answer.json()
    assert problem["error"]
    assert "\n" not in problem["error"]
    assert "kept as dead letter" in problem["hint"]
    eventually(lambda: unreadable(stack))


@pytest.mark.parametrize("what", DEAD)
def test_what_turns_out_unreadable_becomes_a_dead_letter_and_is_told(stack: Stack, what: str) -> None:
    before = told(stack)
    assert stack.send(DEAD[what]).status_code == 202
    eventually(lambda: told(stack) > before)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(with_alert(startsAt="9999-12-31T23:59:59Z"), id="a start far ahead"),
        pytest.param(with_alert(startsAt="0001-01-01T00:00:00+14:00"), id="a start before the calendar"),
        pytest.param(with_alert(endsAt="never", generatorURL=""), id="an end that nobody reads"),
        pytest.param(changed(notification_reason="first", routeLabels={"a": "b"}, more=[1]), id="unknown keys"),
    ],
)
def test_what_is_odd_but_readable_pages(stack: Stack, body: bytes) -> None:
    service = json.loads(body)["commonLabels"]["service"]
    assert stack.send(body).status_code == 202
    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))


def test_the_largest_webhook_that_is_accepted_pages(stack: Stack) -> None:
    """10 MiB to the byte: receiver, producer, topic and consumer agree."""
    service = new_service("large")
    body = webhook(service, labels=URGENT, commonAnnotations={"filler": ""})
    body["commonAnnotations"]["filler"] = "x" * (10 * MIB - len(encoded(body)))
    assert len(encoded(body)) == 10 * MIB
    assert stack.send(encoded(body)).status_code == 202
    incident = stack.incident_of(service)
    eventually(lambda: stack.providers.paged(incident["id"]))


def test_text_meant_to_break_things_pages_and_breaks_nothing(stack: Stack) -> None:
    service = new_service("odd")
    body = webhook(service, labels={**URGENT, "note": "<!channel> {{ 7*7 }} <script>\x00\ud800 '; drop table"})
    body["alerts"][0]["annotations"] = {"summary": "\x00<!here> {% raw %} " + "é" * 5000}
    answer = stack.send(encoded(body))
    assert answer.status_code in {202, 400}, answer.text
    if answer.status_code == 202:
        eventually(lambda: stack.incidents_of(service) or told(stack))
    shown = " ".join(map(str, list(stack.providers.messages)))
    assert "<!channel>" not in shown
    assert "<!here>" not in shown


def test_a_wrong_token_is_told_apart_from_a_wrong_body(stack: Stack) -> None:
    answer = stack.send(changed(), token="guessed")
    assert answer.status_code == 401
    assert "TOCSIN_WEBHOOK_TOKENS" in answer.json()["hint"]
    refused = stack.client.get("/api/v1/incidents", headers={"Authorization": "Bearer guessed"})
    assert refused.status_code == 401
    assert "TOCSIN_API_TOKEN" in refused.json()["hint"]


def test_one_kind_of_unreadable_body_is_one_incident(stack: Stack) -> None:
    for _ in range(3):
        assert stack.send(b"not JSON at all").status_code == 400
    [incident] = eventually(lambda: [one for one in unreadable(stack) if "expected ident" in one["key"]])
    eventually(lambda: stack.timeline(incident["number"]).count("alerts_joined") >= 3)
    assert len([one for one in unreadable(stack) if "expected ident" in one["key"]]) == 1
    assert stack.timeline(incident["number"]).count("level_paged") >= 1


def unreadable(stack: Stack) -> list[dict[str, Any]]:
    """The incidents that say that an alert could not be read."""
    return [one for one in stack.incidents_of("tocsin") if "could not be read" in one["title"]]


def told(stack: Stack) -> int:
    """How often those incidents were told of an unreadable alert."""
    return sum(stack.timeline(one["number"]).count("alerts_joined") for one in unreadable(stack))
