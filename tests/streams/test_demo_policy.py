"""The demo's policy: any profile with its clocks shortened, and nothing else changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.policy_file import parse_policy, shipped_policy
from models.severity import Priority, Severity
from streams.demo.policy import sped_up


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("default", 4), ("sre-guide", 12), ("runbook", 12), ("sre-practices", 4), ("platform-v2", 4),
     ("operations-review", 4)],
)  # fmt: skip
def test_every_profile_can_be_told_in_half_a_minute(name: str, seconds: int) -> None:
    before = parse_policy(shipped_policy(name), name)
    after = parse_policy(sped_up(shipped_policy(name)), name)
    assert after.acknowledgement_clock(Severity.SEV1, Priority.P0) == timedelta(seconds=seconds)
    assert after.classification == before.classification
    assert after.matrix == before.matrix
    assert after.channels == before.channels
    assert [level.name for level in after.escalation.levels] == [level.name for level in before.escalation.levels]
