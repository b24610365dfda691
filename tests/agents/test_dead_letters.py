"""Refusals are loud, once per sender and reason, and a sender that does nothing else can neither fill nor flood us."""

from __future__ import annotations

import json
import uuid

import pytest

from agents.dead_letters import Burial, bury
from models.alert import read_webhook
from models.policy_file import parse_policy, policy_version, shipped_policy
from models.records import Record, Unreadable
from models.signals import AlertsReported, decode_signal
from streams.topics import MAX_RECORD_BYTES
from tests.world import T0

TEXT = shipped_policy("default")
BURIAL = Burial("dead.letters", "incident.signals", parse_policy(TEXT, "default.yaml"), policy_version(TEXT))


def told(offset: int, labels: dict[str, object]) -> AlertsReported:
    """What is told of the `offset`-th webhook, whose labels cannot be read."""
    alert = {"status": "firing", "labels": labels, "startsAt": T0.isoformat()}
    body = json.dumps({"version": "4", "groupKey": "g", "status": "firing", "alerts": [alert]}).encode()
    with pytest.raises(Unreadable) as refused:
        read_webhook(body, webhook_id=uuid.uuid4(), sender="prod", received_at=T0)
    record = Record("alertmanager.webhooks", 0, offset, b"prod/g", body, {"sender": b"prod"})
    _, signal = bury(record, str(refused.value), T0, BURIAL)
    found = decode_signal(signal.value)
    assert isinstance(found, AlertsReported)
    return found


def test_the_names_that_a_sender_makes_up_make_no_incidents() -> None:
    names = ["pod", "a\0", "a\ufffd", "x" * 500, "a: b", "a.b"]
    keys = {told(place, {name: 1}).key for place, name in enumerate(names)}
    assert len(keys) == 1
    assert keys.pop().isprintable()


def test_repeats_do_not_make_the_incident_grow() -> None:
    prints = {told(place, {"pod": 1}).alerts[0].fingerprint for place in range(3)}
    assert len(prints) == 1


def test_a_letter_is_never_larger_than_a_record_may_be() -> None:
    """Whatever refuses a dead letter, its record has no other place to go, and would be tried for ever."""
    size = MAX_RECORD_BYTES // 2 - 300
    record = Record("alertmanager.webhooks", 0, 0, b"k" * size, b"v" * size, {"sender": b"prod"})
    for letter in bury(record, "alerts.0.labels." + "x" * 1_000_000, T0, BURIAL):
        headers = sum(len(name) + len(value) for name, value in letter.headers.items())
        assert len(letter.key) + len(letter.value) + headers < MAX_RECORD_BYTES - 1024
