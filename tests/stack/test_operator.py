"""An operator's commands on the real stack: found by its data directory, on the real store, broker and agents."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from streams.cli.root import command_line
from tests.stack.stack import Stack
from tests.stack.webhooks import new_service, webhook
from tests.waiting import eventually


def types(stack: Stack, *words: str) -> Result:
    """A command in the stack's environment; the address is not told, since `run/web.json` has it."""
    return CliRunner().invoke(
        command_line(words), list(words), env={**stack.environ(), "TOCSIN_WEB_BIND": "127.0.0.1:1"}
    )


def reads(stack: Stack, *words: str) -> Any:
    result = types(stack, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_incident_is_answered_and_reviewed_from_a_terminal(stack: Stack) -> None:
    service = new_service("ledger")
    stack.deliver(webhook(service))
    number = stack.incident_of(service)["number"]
    assert number in types(stack, "incidents", "list", "--service", service).stdout

    for words, said in (
        (("ack", number, "--by", "alice"), f"{number} acknowledged by alice"),
        (("ack", number), f"Nothing to do: {number} was acknowledged by alice"),
        (("update", number, "It is the cache", "--stage", "identified"), f"{number} updated (identified)"),
        (("action-items", "add", number, "Alert on it", "--owner", "bob", "--due", "2d"), "for bob, due"),
        (("resolve", number, "--note", "restarted"), "Its postmortem is due"),
    ):
        result = types(stack, *words)
        assert result.exit_code == 0, result.output
        assert said in result.stdout

    [item] = reads(stack, "action-items", "list", number)
    assert types(stack, "action-items", "done", item["id"]).stdout == "Done: Alert on it.\n"
    eventually(lambda: number in types(stack, "postmortems").stdout)
    assert "is complete" in types(stack, "postmortems", "complete", number, "--url", "https://wiki.test/1").stdout
    assert {one["kind"] for one in reads(stack, "incidents", "timeline", number)} >= {
        "acknowledged",
        "incident_resolved",
    }
    assert reads(stack, "deliveries", number)
    assert "cancelled" in types(stack, "deadlines", number).stdout


def test_a_test_page_reaches_pagerduty(stack: Stack) -> None:
    result = types(stack, "page", "--test", "--level", "secondary")
    assert result.exit_code == 0, result.output
    assert "Delivered" in result.stdout


def test_a_webhook_that_was_refused_is_listed_and_stays_until_it_can_be_read(stack: Stack) -> None:
    body = b'{"version": "4", "groupKey": 7}'
    assert stack.send(body).status_code == 400
    [letter] = eventually(lambda: [one for one in reads(stack, "dead-letters") if one["size"] == len(body)])
    result = types(stack, "dead-letters", "replay", letter["id"])
    assert result.exit_code == 1
    assert "groupKey" in result.stderr


def test_the_doctor_finds_all_well(stack: Stack) -> None:
    result = types(stack, "doctor", "--json")
    states = {one["subject"]: one["state"] for one in json.loads(result.stdout)["findings"]}
    asked = ("broker", "topics", "database", "schema", "clock", "web", "token", "pagerduty")
    assert {subject: states.get(subject) for subject in asked} == dict.fromkeys(asked, "ok"), result.stdout
