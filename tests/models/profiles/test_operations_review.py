"""Document E, the operations and support review. Every row cites the rule that it proves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.classification import kind_of
from tests.models.profiles.table import alert, channels, clocks, found, levels, matrix, profile, updates

POLICY = profile("operations-review")


@pytest.mark.parametrize(
    ("impact", "severity"),
    [
        ("complete_outage", "SEV1"),
        ("data_loss", "SEV1"),
        ("security_breach", "SEV1"),
        ("core_degraded", "SEV2"),
        ("sla_breach", "SEV2"),
        ("minor_feature", "SEV3"),
        ("cosmetic", "SEV4"),
        ("planned", "SEV4"),
    ],
)
def test_policy_3_what_is_impaired(impact: str, severity: str) -> None:
    assert found(POLICY, alert(impact=impact)).severity == severity


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("Sev1", "SEV1"),
        ("SEV2", "SEV2"),
        ("critical", "SEV1"),
        ("High", "SEV2"),
        ("sev3", "SEV3"),
        ("low", "SEV4"),
        ("warning", "SEV3"),
        ("apocalyptic", "SEV3"),
    ],
)
def test_policy_5_and_6_its_own_names_and_labels_in_the_wild(value: str, severity: str) -> None:
    assert found(POLICY, alert(severity=value)).severity == severity


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PostgresDown", "database_down"),
        ("DiskUsageHigh", "disk_full"),
        ("P95LatencyHigh", "performance_degradation"),
        ("QueueDepth", "performance_degradation"),
        ("IngressErrors", "network"),
        ("AuthFailures", "security_incident"),
    ],
)
def test_policy_20_kinds_of_incident(name: str, kind: str) -> None:
    assert found(POLICY, alert(alertname=name)).kind == kind


def test_policy_20_a_database_that_is_down_is_sev1_or_sev2() -> None:
    assert found(POLICY, alert(alertname="PostgresDown", severity="warning")).severity == "SEV2"
    assert found(POLICY, alert(alertname="PostgresDown", severity="critical")).severity == "SEV1"


@pytest.mark.parametrize(
    ("impact", "experts"), [("data_loss", ("database",)), ("security_breach", ("security",)), ("planned", ())]
)
def test_policy_10_experts_by_kind(impact: str, experts: tuple[str, ...]) -> None:
    kind = kind_of([alert(impact=impact)], POLICY)
    assert (kind[0].experts if kind else ()) == experts


def test_policy_11_only_sev1_and_sev2_wake_anyone() -> None:
    waking = {severity for severity, tiers in POLICY.matrix.items() if any(map(POLICY.pages, tiers.values()))}
    assert waking == {"SEV1", "SEV2"}


def test_policy_18_the_status_page() -> None:
    assert POLICY.communication.status_page == {"SEV1", "SEV2"}


def test_policy_4_the_matrix() -> None:
    assert matrix(POLICY) == {"SEV1": "P0 P0 P0", "SEV2": "P1 P1 P1", "SEV3": "P2 P2 P2", "SEV4": "P3 P3 P3"}


def test_policy_4_and_19_channels() -> None:
    assert channels(POLICY) == {"P0": "email page slack", "P1": "page slack", "P2": "slack", "P3": "ticket"}


def test_policy_8_acknowledgement_clocks_in_minutes() -> None:
    assert clocks(POLICY) == {"SEV1": "5", "SEV2": "10", "SEV3": "30", "SEV4": "-"}


def test_policy_9_who_is_paged_in_order() -> None:
    assert levels(POLICY) == ["primary", "secondary", "manager"]


def test_policy_12_updates_in_minutes() -> None:
    assert updates(POLICY) == {"SEV1": "60", "SEV2": "30", "SEV3": "1440"}


def test_policy_22_postmortems() -> None:
    assert sorted(POLICY.review.severities) == ["SEV1", "SEV2"]
    assert POLICY.review.within == timedelta(hours=24)
    assert POLICY.review.long_outage_within == timedelta(hours=24)
