"""Document B, the operations runbook. Every row cites the rule that it proves."""

from __future__ import annotations

import pytest

from tests.models.profiles.table import alert, channels, clocks, found, levels, matrix, profile, updates

POLICY = profile("runbook")


@pytest.mark.parametrize(
    ("impact", "severity"),
    [
        ("complete_outage", "SEV1"),
        ("data_loss", "SEV1"),
        ("core_degraded", "SEV2"),
        ("minor_feature", "SEV3"),
        ("cosmetic", "SEV4"),
    ],
)
def test_policy_3_what_is_impaired(impact: str, severity: str) -> None:
    assert found(POLICY, alert(impact=impact)).severity == severity


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("P0", "SEV1"),
        ("P0/Critical", "SEV1"),
        ("critical", "SEV1"),
        ("High", "SEV2"),
        ("p2", "SEV3"),
        ("warning", "SEV3"),
        ("P3/Low", "SEV4"),
        ("apocalyptic", "SEV3"),
    ],
)
def test_policy_5_and_6_its_own_names_and_labels_in_the_wild(value: str, severity: str) -> None:
    assert found(POLICY, alert(severity=value)).severity == severity


@pytest.mark.parametrize("priority", ["P0", "P1", "P2", "P3"])
def test_policy_5_a_priority_of_its_own_is_that_priority_here(priority: str) -> None:
    assert found(POLICY, alert(priority=priority)).priority == priority


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HighCPUUsage", "high_cpu"),
        ("MemoryLeak", "memory_leak"),
        ("RedisDown", "cache"),
        ("DatabaseConnectivity", "database_down"),
        ("SlowResponseTime", ""),
    ],
)
def test_policy_20_kinds_of_incident(name: str, kind: str) -> None:
    assert found(POLICY, alert(alertname=name)).kind == kind


def test_policy_4_the_matrix() -> None:
    assert matrix(POLICY) == {"SEV1": "P0 P0 P0", "SEV2": "P1 P1 P1", "SEV3": "P2 P2 P2", "SEV4": "P3 P3 P3"}


def test_policy_4_and_19_channels() -> None:
    assert channels(POLICY) == {"P0": "email page slack", "P1": "email page slack", "P2": "slack", "P3": "ticket"}


def test_policy_8_acknowledgement_clocks_in_minutes() -> None:
    assert clocks(POLICY) == {"SEV1": "15", "SEV2": "60", "SEV3": "240", "SEV4": "1440"}


def test_policy_9_who_is_paged_in_order() -> None:
    assert levels(POLICY) == ["on-call", "devops", "manager"]


def test_policy_12_updates_in_minutes() -> None:
    assert updates(POLICY) == {}
