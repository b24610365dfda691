"""Document D, the platform v2 runbook. Every row cites the rule that it proves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.models.profiles.table import alert, channels, clocks, found, levels, matrix, profile, updates

POLICY = profile("platform-v2")


@pytest.mark.parametrize(
    ("impact", "severity"),
    [
        ("slo_breach", "SEV2"),
        ("data_loss", "SEV1"),
        ("security_breach", "SEV1"),
        ("complete_outage", "SEV1"),
        ("minor_feature", "SEV3"),
        ("planned", "SEV4"),
    ],
)
def test_policy_3_what_is_impaired(impact: str, severity: str) -> None:
    assert found(POLICY, alert(impact=impact)).severity == severity


@pytest.mark.parametrize(
    ("name", "severity", "kind"),
    [
        ("SLOViolation", "SEV2", "slo_breach"),
        ("ErrorBudgetBurn", "SEV2", ""),
        ("DataCorruption", "SEV1", "data_corruption"),
        ("SecurityAnomaly", "SEV1", "security_incident"),
        ("DatabaseConnectionIssues", "SEV3", "database_down"),
        ("APILatency", "SEV3", "high_latency"),
        ("HighMemoryUsage", "SEV3", "memory_leak"),
        ("HighErrorRate", "SEV3", "slo_breach"),
    ],
)
def test_policy_3_and_20_what_happened_decides(name: str, severity: str, kind: str) -> None:
    one = found(POLICY, alert(alertname=name))
    assert (one.severity, one.kind) == (severity, kind)


@pytest.mark.parametrize(
    ("service", "priority"), [("platform-v2-api", "P1"), ("platform-v1-api", "P2"), ("platform-v3-api", "P2")]
)
def test_policy_3_and_4_an_slo_breach_pages_for_production_only(service: str, priority: str) -> None:
    one = found(POLICY, alert(alertname="SLOViolation", service=service))
    assert (one.priority, POLICY.pages(one.priority)) == (priority, priority == "P1")


@pytest.mark.parametrize(
    ("value", "severity"),
    [("critical", "SEV1"), ("error", "SEV2"), ("warning", "SEV3"), ("none", "INFO"), ("apocalyptic", "SEV3")],
)
def test_policy_5_and_6_its_own_names_and_labels_in_the_wild(value: str, severity: str) -> None:
    assert found(POLICY, alert(severity=value)).severity == severity


def test_policy_4_the_matrix() -> None:
    assert matrix(POLICY) == {"SEV1": "P0 P0 P1", "SEV2": "P1 P1 P2", "SEV3": "P2 P2 P3", "SEV4": "P3 P3 P3"}


def test_policy_4_and_19_channels() -> None:
    assert channels(POLICY) == {"P0": "page slack", "P1": "page slack", "P2": "slack", "P3": "ticket"}


def test_policy_8_acknowledgement_clocks_in_minutes() -> None:
    assert clocks(POLICY) == {"SEV1": "5", "SEV2": "10", "SEV3": "30", "SEV4": "-"}


def test_policy_9_who_is_paged_in_order() -> None:
    assert levels(POLICY) == ["on-call", "secondary"]


def test_policy_12_updates_in_minutes() -> None:
    assert updates(POLICY) == {}


def test_policy_22_postmortems() -> None:
    assert sorted(POLICY.review.severities) == ["SEV1", "SEV2"]
    assert POLICY.review.within == timedelta(hours=48)
    assert POLICY.review.long_outage_within == timedelta(hours=4)
