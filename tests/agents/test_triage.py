"""Triage asks what a policy's queries give: once for a whole batch, and never more than it needs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from agents import triage
from models.heartbeat_rules import HeartbeatRule
from models.heartbeats import Beat
from models.policy_file import parse_policy, shipped_policy
from models.rates import Answer, Answers
from models.records import Outgoing, Record
from models.signals import AlertsReported, decode_signal
from models.webhook_record import Stamp, webhook_record
from tests.memory_heartbeats import MemoryHeartbeats
from tests.world import T0


class Desk:
    """Triage with a Prometheus that gives `answers`, and whatever it published."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        raw = yaml.safe_load(shipped_policy("default"))
        raw["classification"]["error_rate"]["sources"] = [{"annotation": "error_rate"}, {"query": "rate_of($service)"}]
        self.answers = answers
        self.asked: list[Sequence[str]] = []
        self.signals: list[AlertsReported] = []
        self.ports = triage.TriagePorts(
            parse_policy(yaml.safe_dump(raw), "p"), "v", self.publish, self, "signals", MemoryHeartbeats(), self.lookup
        )

    async def publish(self, records: Sequence[Outgoing]) -> None:
        decoded = [decode_signal(record.value) for record in records]
        self.signals += [signal for signal in decoded if isinstance(signal, AlertsReported)]

    async def remember_groups(self, told: Collection[tuple[str, str]]) -> None: ...

    async def keys_of_groups(self, groups: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {}

    async def lookup(self, queries: Sequence[str], within: timedelta) -> Answers:
        assert within == timedelta(seconds=2)
        self.asked.append(queries)
        return self.answers


def webhook(service: str, status: str = "firing", **annotations: str) -> Record:
    alert = {
        "status": status,
        "labels": {"alertname": "Errors", "service": service},
        "annotations": annotations,
        "startsAt": T0.isoformat(),
    }
    body = json.dumps({"version": "4", "groupKey": service, "status": status, "alerts": [alert]}).encode()
    sent = webhook_record("webhooks", Stamp(uuid.uuid4(), "prometheus", T0), service, body)
    return Record("webhooks", 0, 0, sent.key, sent.value, sent.headers)


async def test_a_batch_is_one_round_of_questions_each_asked_once() -> None:
    desk = Desk({'rate_of("a")': Answer(0.62), 'rate_of("b")': Answer(0.001)})
    batch = [webhook("a"), webhook("b"), webhook("a"), webhook("c", error_rate="30%"), webhook("d", "resolved")]
    await triage.run(batch, desk.ports)
    assert desk.asked == [['rate_of("a")', 'rate_of("b")']]
    assert [signal.classification.severity for signal in desk.signals] == ["SEV1", "INFO", "SEV1", "SEV4", "SEV3"]


async def test_nothing_to_ask_is_not_asked() -> None:
    desk = Desk({})
    await triage.run([webhook("a", error_rate="30%")], desk.ports)
    assert desk.asked == []


async def test_an_answer_that_never_came_holds_up_no_alert() -> None:
    desk = Desk({})
    await triage.run([webhook("a")], desk.ports)
    [signal] = desk.signals
    assert signal.classification.severity == "SEV3"
    assert "no error rate from Prometheus: nobody was asked" in signal.classification.why


async def test_what_is_info_is_logged_and_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """POLICY 1."""
    desk = Desk({})
    with caplog.at_level("INFO"):
        await triage.run([webhook("quiet", error_rate="0.1%"), webhook("loud", error_rate="90%")], desk.ports)
    [line] = [record.getMessage() for record in caplog.records if record.name == "agents.triage"]
    assert line.startswith("INFO, logged only: 'Errors on quiet' from prometheus (")


class Counting(MemoryHeartbeats):
    """Counts how often it is asked."""

    asked = 0

    async def remember_beats(self, beats: Collection[Beat]) -> None:
        self.asked += 1
        await super().remember_beats(beats)


async def test_beats_of_a_batch_are_noted_at_once_and_nothing_is_where_there_is_none() -> None:
    desk, beats = Desk({}), Counting(lambda: T0)
    heartbeats = (HeartbeatRule.model_validate({"name": "w", "when": {"service": "beat"}}),)
    policy = desk.ports.policy.model_copy(update={"heartbeats": heartbeats})
    ports = replace(desk.ports, policy=policy, beats=beats)
    await triage.run([webhook("checkout", error_rate="0.3"), webhook("cart", error_rate="0.3")], ports)
    assert beats.asked == 0
    await triage.run([webhook("beat"), webhook("cart", error_rate="0.3"), webhook("beat", "resolved")], ports)
    assert beats.asked == 1
    assert [signal.service for signal in desk.signals] == ["checkout", "cart", "cart"]
    assert desk.asked == [], "a beat's numbers are nobody's business"
    assert beats.rows["prometheus", "w"].heard_at == beats.rows["prometheus", "w"].resolved_at == T0
