"""Triage: what no record could hold becomes several signals, which together mean the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agents import triage
from models import report_parts
from models.alert import AlertGroup
from models.evolution import evolve
from models.incident import decide
from models.policy_file import parse_policy, shipped_policy
from models.records import Outgoing, Record
from models.reports import signals_of
from models.signals import AlertsReported, decode_signal
from models.state import Incident
from models.webhook_record import Stamp, webhook_record
from streams import topics
from tests.memory_heartbeats import MemoryHeartbeats

POLICY = parse_policy(shipped_policy("default"), "default.yaml")
T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
ASKED: list[Sequence[str]] = []


def alert(number: int, status: str = "firing", pad: int = 100, **annotations: str) -> dict[str, Any]:
    labels = {"alertname": "A", "service": "checkout", "severity": "critical", "pod": str(number), "pad": "p" * pad}
    started = (T0 - timedelta(seconds=number % 100)).isoformat()
    return {"status": status, "labels": labels, "annotations": annotations, "startsAt": started}


def webhook(alerts: Sequence[dict[str, Any]], status: str = "firing", group: str = "g", truncated: int = 0) -> Record:
    body = {"version": "4", "groupKey": group, "status": status, "alerts": alerts, "truncatedAlerts": truncated}
    stamp = Stamp(uuid.uuid5(uuid.NAMESPACE_OID, group + status), "prod", T0)
    out = webhook_record("alertmanager.webhooks", stamp, group, json.dumps(body).encode())
    return Record(out.topic, 0, 0, out.key, out.value, out.headers)


class Groups:
    """One other incident had alerts of the group `prod/g`."""

    async def remember_groups(self, told: Collection[tuple[str, str]]) -> None: ...

    async def keys_of_groups(self, groups: Sequence[str]) -> Mapping[str, Sequence[str]]:
        ASKED.append(groups)
        return {"prod/g": ["another"]}


async def told(*batch: Record) -> list[Outgoing]:
    published: list[Outgoing] = []

    async def publish(records: Sequence[Outgoing]) -> None:
        published.extend(records)

    await triage.run(batch, triage.TriagePorts(POLICY, "v1", publish, Groups(), "incident.signals", MemoryHeartbeats()))
    return published


def reports(published: Sequence[Outgoing]) -> list[AlertsReported]:
    signals = [decode_signal(out.value) for out in published]
    return [signal for signal in signals if isinstance(signal, AlertsReported)]


def lived(signals: Sequence[AlertsReported], incident: Incident | None = None) -> tuple[Incident | None, list[str]]:
    kinds: list[str] = []
    for signal in signals:
        for event in decide(incident, signal, POLICY, T0):
            incident = evolve(incident, event, T0)
            kinds.append(event.kind)
    return incident, kinds


async def test_what_fits_is_one_signal() -> None:
    [out] = await told(webhook([alert(number) for number in range(1000)]))
    assert len(reports([out])[0].alerts) == 1000


async def test_a_hundred_thousand_tiny_alerts_fit_the_topic() -> None:
    tiny = [{"status": "firing", "labels": {"n": str(n)}, "startsAt": "2026-03-02T02:00:00Z"} for n in range(100_000)]
    for one in tiny[:1]:
        one["labels"] = {"severity": "critical", "n": "0"}
    published = await told(webhook(tiny))
    parts = reports(published)
    assert 1 < len(parts) < 8
    assert max(len(out.value) for out in published) <= report_parts.MOST_BYTES < topics.MAX_RECORD_BYTES
    assert [out.key for out in published] == [published[0].key] * len(parts)
    assert len({part.id for part in parts}) == len(parts)
    assert len({found.fingerprint for part in parts for found in part.alerts}) == 100_000
    assert len({part.classification for part in parts}) == 1


async def test_the_parts_mean_what_the_whole_would() -> None:
    """Most have resolved, some fire, and a condition is waited for: nothing is over, and it stays planned."""
    before = [alert(number, pad=4000) for number in range(2500)]
    waits = {"error_rate": "12%"}
    news = [alert(n, "resolved", 4000) for n in range(2500)] + [alert(9000 + n, pad=10, **waits) for n in range(3)]
    opened, _ = lived(reports(await told(webhook(before, group="before"))))
    [whole] = [signal for signal in triage_whole(webhook(news, truncated=7)) if signal.alerts]
    parts = reports(await told(webhook(news, truncated=7)))
    assert len(parts) > 1
    assert [part.id for part in reports(await told(webhook(news, truncated=7)))] == [part.id for part in parts]
    expected, _ = lived([whole], opened)
    found, kinds = lived(parts, opened)
    assert expected is not None
    assert found is not None
    assert "incident_resolved" not in kinds
    assert kinds.count("group_truncated") == 1
    assert set(found.firing) == set(expected.firing)
    assert (found.status, found.alerts.unlisted) == (expected.status, expected.alerts.unlisted)
    assert [one.due_at for one in found.pending] == [one.due_at for one in expected.pending]


async def test_a_large_group_that_resolves_resolves_its_incident_once() -> None:
    opened, _ = lived(reports(await told(webhook([alert(n, pad=4000) for n in range(2500)]))))
    parts = [
        part
        for part in reports(await told(webhook([alert(n, "resolved", 4000) for n in range(2500)], "resolved")))
        if part.alerts
    ]
    assert len(parts) > 1
    closed, kinds = lived(parts, opened)
    assert closed is not None
    assert (closed.status, kinds.count("incident_resolved")) == ("resolved", 1)
    assert not closed.firing


async def test_groups_are_asked_about_once_for_a_whole_batch() -> None:
    ASKED.clear()
    batch = [webhook([alert(1, "resolved")], "resolved", group) for group in ("g", "h", "g")]
    published = await told(*batch, webhook([alert(2)], group="firing"))
    assert ASKED == [["prod/g", "prod/h"]]
    assert [out.key for out in published].count(b"another") == 2


def triage_whole(record: Record) -> list[AlertsReported]:
    read = triage._read(record)
    assert isinstance(read, AlertGroup)
    return signals_of(read, POLICY, "v1")


async def test_a_group_that_resolves_in_the_batch_that_it_fired_in_reaches_its_incident() -> None:
    other = alert(2, "resolved")
    other["labels"] = {**other["labels"], "service": "billing"}
    firing, resolved = webhook([alert(1)], group="h"), webhook([other], "resolved", group="h")
    told_of = reports(await told(firing, resolved))
    assert [(len(one.alerts), one.group_status) for one in told_of] == [(1, "firing"), (1, "resolved"), (0, "resolved")]
    assert told_of[2].key == told_of[0].key != told_of[1].key
