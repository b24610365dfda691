"""Document A, the operations and SRE guide. Every row cites the rule that it proves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.models.profiles.table import alert, by_rate, channels, clocks, found, levels, matrix, profile, updates

POLICY = profile("sre-guide")


@pytest.mark.parametrize(
    ("rate", "lasted", "severity"),
    [
        ("50.1%", "0s", "SEV1"),
        ("50%", "0s", "SEV4"),
        ("50%", "5m", "SEV2"),
        ("0.25", "5m", "SEV2"),
        ("0.25", "4m59s", "SEV4"),
        ("0.249", "1h", "SEV3"),
        ("0.05", "15m", "SEV3"),
        ("0.05", "14m59s", "SEV4"),
        ("0.049", "24h", "SEV4"),
        ("0.01", "1h", "SEV4"),
        ("0.0099", "24h", "INFO"),
    ],
)
def test_policy_1_error_rate_and_duration(rate: str, lasted: str, severity: str) -> None:
    assert by_rate(POLICY, "error_rate", rate, lasted) == severity


@pytest.mark.parametrize(
    ("rate", "lasted", "severity"),
    [
        ("50%", "0s", "SEV1"),
        ("300%", "0s", "SEV1"),
        ("49.9%", "4m59s", "SEV3"),
        ("49.9%", "5m", "SEV1"),
        ("10.1%", "5m", "SEV1"),
        ("10%", "5m", "SEV3"),
        ("10%", "15m", "SEV2"),
        ("5.1%", "14m59s", "SEV3"),
        ("5.1%", "15m", "SEV2"),
        ("5%", "24h", "SEV3"),
        ("2%", "0s", "SEV3"),
        ("1.9%", "24h", "INFO"),
    ],
)
def test_policy_2_burn_rate(rate: str, lasted: str, severity: str) -> None:
    assert by_rate(POLICY, "burn_rate", rate, lasted) == severity


@pytest.mark.parametrize(("name", "severity"), [("CriticalBurnRate", "SEV1"), ("HighBurnRate", "SEV2")])
def test_policy_2_burn_rate_by_name(name: str, severity: str) -> None:
    assert found(POLICY, alert(alertname=name)).severity == severity


def test_policy_2_the_priority_that_the_guide_annotates() -> None:
    assert found(POLICY, alert(annotations={"priority": "SEV-1"}, alertname="Whatever")).severity == "SEV1"


@pytest.mark.parametrize(
    ("impact", "severity"),
    [("complete_outage", "SEV1"), ("core_degraded", "SEV2"), ("minor_feature", "SEV3"), ("cosmetic", "SEV4")],
)
def test_policy_3_what_is_impaired(impact: str, severity: str) -> None:
    assert found(POLICY, alert(impact=impact)).severity == severity


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("SEV-1", "SEV1"),
        ("sev-2", "SEV2"),
        ("SEV-3", "SEV3"),
        ("SEV-4", "SEV4"),
        ("Critical", "SEV1"),
        ("High", "SEV2"),
        ("info", "INFO"),
        ("warning", "SEV3"),
        ("none", "INFO"),
        ("apocalyptic", "SEV3"),
    ],
)
def test_policy_5_and_6_its_own_names_and_labels_in_the_wild(value: str, severity: str) -> None:
    assert found(POLICY, alert(severity=value)).severity == severity


@pytest.mark.parametrize(
    ("name", "kind"),
    [("QueryLatencyHigh", "high_latency"), ("ApiOutage", "complete_outage"), ("Whatever", "")],
)
def test_policy_20_kinds_of_incident(name: str, kind: str) -> None:
    assert found(POLICY, alert(alertname=name)).kind == kind


def test_policy_4_the_matrix() -> None:
    assert matrix(POLICY) == {"SEV1": "P0 P0 P0", "SEV2": "P1 P1 P1", "SEV3": "P2 P2 P2", "SEV4": "P3 P3 P3"}


def test_policy_4_and_19_channels() -> None:
    assert channels(POLICY) == {"P0": "page slack", "P1": "email slack", "P2": "slack", "P3": "ticket"}


def test_policy_8_acknowledgement_clocks_in_minutes() -> None:
    assert clocks(POLICY) == {"SEV1": "15", "SEV2": "60", "SEV3": "240", "SEV4": "1440"}


def test_policy_9_who_is_paged_in_order() -> None:
    assert levels(POLICY) == ["on-call", "all-hands"]


def test_policy_12_updates_in_minutes() -> None:
    assert updates(POLICY) == {"SEV1": "15"}


def test_policy_22_postmortems() -> None:
    assert sorted(POLICY.review.severities) == ["SEV1", "SEV2"]
    assert POLICY.review.within == timedelta(hours=48)
    assert POLICY.review.long_outage_within == timedelta(hours=4)
