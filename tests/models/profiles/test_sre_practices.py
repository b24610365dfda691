"""Document C, site reliability engineering practices. Every row cites the rule that it proves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.models.profiles.table import alert, channels, clocks, found, levels, matrix, profile, updates

POLICY = profile("sre-practices")


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
        ("P0 - Critical", "SEV1"),
        ("critical", "SEV1"),
        ("P1", "SEV2"),
        ("warning", "SEV3"),
        ("P3 - Low", "SEV4"),
        ("apocalyptic", "SEV3"),
    ],
)
def test_policy_5_and_6_its_own_names_and_labels_in_the_wild(value: str, severity: str) -> None:
    assert found(POLICY, alert(severity=value)).severity == severity


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("APIErrorBudgetCritical", "slo_breach"),
        ("PostgresReplicaLag", "database_down"),
        ("APILatencyHigh", "high_latency"),
    ],
)
def test_policy_20_kinds_of_incident(name: str, kind: str) -> None:
    assert found(POLICY, alert(alertname=name)).kind == kind


def test_policy_4_the_matrix() -> None:
    assert matrix(POLICY) == {"SEV1": "P0 P0 P0", "SEV2": "P1 P1 P1", "SEV3": "P2 P2 P2", "SEV4": "P3 P3 P3"}


def test_policy_4_and_19_channels() -> None:
    assert channels(POLICY) == {"P0": "page slack", "P1": "email page slack", "P2": "slack ticket", "P3": "ticket"}


def test_policy_8_acknowledgement_clocks_in_minutes() -> None:
    assert clocks(POLICY) == {"SEV1": "5", "SEV2": "15", "SEV3": "60", "SEV4": "1440"}


def test_policy_9_who_is_paged_in_order() -> None:
    assert levels(POLICY) == ["on-call", "incident-commander"]


def test_policy_12_updates_in_minutes() -> None:
    assert updates(POLICY) == {}


def test_policy_22_every_resolved_incident_is_reviewed() -> None:
    assert sorted(POLICY.review.severities) == ["SEV1", "SEV2", "SEV3", "SEV4"]
    assert POLICY.review.within == timedelta(hours=48)
