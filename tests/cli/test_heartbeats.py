"""`tocsin heartbeats` and the doctor: which senders are heard, and which have fallen silent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents import heartbeats
from models.policy_file import shipped_policy
from streams import topics
from streams.settings import Settings
from streams.values import Bind
from tests.cli.conftest import TOKEN, Operator, alert, web
from tests.web.world import World

WITHOUT = "\n".join(line for line in shipped_policy("default").splitlines() if not line.startswith("heartbeats:"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    file = tmp_path / "policy.yaml"
    file.write_text(f"{WITHOUT}\nheartbeats: [{{name: watchdog}}, {{name: nightly, senders: [batch], within: 1d}}]\n")
    return World(Settings(web_bind=Bind("127.0.0.1", 0), api_token=SecretStr(TOKEN), policy=str(file)))


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Iterator[Operator]:
    with web(world) as address:
        yield Operator(tmp_path, address)


def look(world: World) -> None:
    policy = world.policy
    ports = heartbeats.HeartbeatPorts(
        world.store.heartbeats, world.publish, policy.policy, policy.version, topics.SIGNALS
    )
    asyncio.run(heartbeats.look(ports))


def doctor(operator: Operator) -> list[tuple[str, str]]:
    found = json.loads(operator.types("doctor", "--json").stdout)["findings"]
    return [(one["state"], one["message"]) for one in found if one["subject"] == "heartbeats"]


def test_nobody_has_beaten_yet(operator: Operator) -> None:
    assert (
        operator.gets("heartbeats")
        == "No sender is waited for; docs/heartbeats.md shows how to name one in the policy.\n"
    )
    assert doctor(operator) == []


def test_who_is_heard_and_who_is_awaited_and_who_is_missing(operator: Operator, world: World) -> None:
    alert(operator, alertname="Watchdog")
    look(world)
    listed = {row["sender"]: row for row in operator.reads("heartbeats")}
    assert listed["alertmanager"]["state"] == "beating"
    assert listed["alertmanager"]["incident_key"] == "tocsin/heartbeat/alertmanager/watchdog"
    assert (listed["batch"]["state"], listed["batch"]["heard_at"]) == ("awaited", None)
    assert doctor(operator) == [("ok", "2 of senders are heard or have time yet")]
    for _ in range(34):
        world.ahead += timedelta(seconds=30)
        look(world)
    assert {row["sender"]: row["state"] for row in operator.reads("heartbeats")} == {
        "alertmanager": "missing",
        "batch": "awaited",
    }
    assert "missing" in operator.gets("heartbeats")
    [(state, message)] = doctor(operator)
    assert state == "warning"
    assert "nothing is heard from alertmanager (watchdog) since" in message
    [incident] = operator.reads("incidents")
    assert incident["title"] == "Nothing is heard from alertmanager"


def test_the_doctor_says_when_nobody_looks(operator: Operator, world: World) -> None:
    world.ahead = timedelta(minutes=-6)
    alert(operator, alertname="Watchdog")
    [(state, message)] = doctor(operator)
    assert state == "warning"
    assert "nobody has looked for them since" in message


def test_the_doctor_says_who_can_never_beat(operator: Operator, tmp_path: Path) -> None:
    operator.env["TOCSIN_POLICY"] = str(tmp_path / "policy.yaml")
    assert ("warning", "heartbeat nightly waits for batch, and there is no such sender") in doctor(operator)
    operator.env["TOCSIN_WEBHOOK_TOKENS"] = "batch:secret"
    assert doctor(operator) == []


def test_a_heartbeat_that_pages_nobody_is_worth_a_look(lonely: Operator, tmp_path: Path) -> None:
    file = tmp_path / "mild.yaml"
    file.write_text(f"{WITHOUT}\nheartbeats: [{{name: watchdog, severity: SEV4}}]\n")
    said = lonely.types("policy", "check", str(file)).output
    assert "SEV4 on tier 1 is P3: nobody is paged when the sender falls silent" in said
