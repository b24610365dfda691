"""What Alertmanager sends by release and by state, in captures of our own making (`captures/`): read, and told as one
signal. They differ by what a release adds: `notification_reason` since 0.32, `routeLabels` since 0.34.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.alert import AlertGroup, read_envelope, read_webhook
from models.policy_file import parse_policy, shipped_policy
from models.reports import signals_of
from models.severity import Priority, Severity

CAPTURES = Path(__file__).parent / "captures"
RELEASES = ("0.25", "0.28", "0.33", "0.34")
STATES = {
    "firing": ("firing", {"ledger-0": "firing", "ledger-1": "firing"}, 0),
    "truncated": ("firing", {"ledger-0": "firing"}, 1),
    "partly-resolved": ("firing", {"ledger-0": "resolved", "ledger-1": "firing"}, 0),
    "resolved": ("resolved", {"ledger-0": "resolved", "ledger-1": "resolved"}, 0),
}
POLICY = parse_policy(shipped_policy("default"), "default.yaml")
NOW = datetime(2026, 3, 2, 3, 20, 10, tzinfo=UTC)


def captured(release: str, state: str) -> AlertGroup:
    body = (CAPTURES / f"{release}-{state}.json").read_bytes()
    read_envelope(body)
    return read_webhook(body, webhook_id=uuid.UUID(int=1), sender="prod", received_at=NOW)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("state", STATES)
def test_every_release_in_every_state_is_read_and_told_as_one_signal(release: str, state: str) -> None:
    status, alerts, truncated = STATES[state]
    group = captured(release, state)
    assert {alert.labels["pod"]: alert.status for alert in group.alerts} == alerts
    assert {alert.starts_at for alert in group.alerts} == {datetime(2026, 3, 2, 2, 58, 30, 123456, tzinfo=UTC)}
    [signal] = signals_of(group, POLICY, "v1")
    assert (signal.group_status, signal.truncated, signal.service) == (status, truncated, "ledger")
    assert signal.group == f"prod/{group.group_key}"
    assert signal.links["runbook"] == "https://wiki.example.test/ledger"
    assert signal.summary.endswith("fail — <62 %>")
    if status == "firing":
        assert (signal.classification.severity, signal.classification.priority) == (Severity.SEV1, Priority.P0)


@pytest.mark.parametrize("state", STATES)
def test_releases_differ_in_nothing_that_is_read(state: str) -> None:
    assert len({repr(captured(release, state)) for release in RELEASES}) == 1
