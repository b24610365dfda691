"""The SEV/P matrix of the default policy, row by row. POLICY 1, 3, 4, 5, 6, 8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alert import Alert
from models.classification import LONGEST_NAME, classify, environment_of, incident_key, service_of, tier_of
from models.policy import Policy
from models.policy_file import parse_policy, shipped_policy
from models.severity import Priority, Severity

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
POLICY: Policy = parse_policy(shipped_policy("default"), "default.yaml")


def alert(
    labels: dict[str, str] | None = None, *, rate: str = "", lasted: timedelta = timedelta(0), status: str = "firing"
) -> Alert:
    annotations = {"error_rate": rate} if rate else {}
    return Alert("f", "firing" if status == "firing" else "resolved", NOW - lasted, labels or {}, annotations)


@pytest.mark.parametrize(
    ("rate", "minutes", "severity"),
    [
        ("0.51", 0, "SEV1"),
        ("0.50", 5, "SEV2"),
        ("0.26", 5, "SEV2"),
        ("0.26", 4, "SEV4"),
        ("0.06", 15, "SEV3"),
        ("0.06", 14, "SEV4"),
        ("0.02", 60, "SEV4"),
        ("0.009", 600, "INFO"),
        ("62%", 0, "SEV1"),
        ("0", 600, "INFO"),
    ],
)
def test_policy_1_error_rate_and_duration(rate: str, minutes: int, severity: str) -> None:
    assert classify([alert(rate=rate, lasted=timedelta(minutes=minutes))], POLICY, NOW).severity == severity


def test_policy_1_what_is_not_reached_yet_is_pending() -> None:
    found = classify([alert(rate="0.30", lasted=timedelta(minutes=1))], POLICY, NOW)
    assert [(pending.severity, pending.due_at) for pending in found.pending] == [
        (Severity.SEV2, NOW + timedelta(minutes=4)),
        (Severity.SEV3, NOW + timedelta(minutes=14)),
    ]


@pytest.mark.parametrize(
    ("impact", "severity"),
    [("complete_outage", "SEV1"), ("data_loss", "SEV1"), ("security_breach", "SEV1"), ("core_degraded", "SEV2"),
    ("sla_breach", "SEV2"),
     ("minor_feature", "SEV3"), ("cosmetic", "SEV4"), ("planned", "SEV4")],
)  # fmt: skip
def test_policy_3_what_is_impaired(impact: str, severity: str) -> None:
    assert classify([alert({"impact": impact})], POLICY, NOW).severity == severity


@pytest.mark.parametrize(
    ("severity", "tiers"),
    [
        ("critical", ("P0", "P0", "P1")),
        ("page", ("P1", "P1", "P2")),
        ("warning", ("P2", "P2", "P3")),
        ("ticket", ("P3", "P3", "P3")),
    ],
)
def test_policy_4_the_matrix(severity: str, tiers: tuple[str, ...]) -> None:
    found = [classify([alert({"severity": severity, "tier": tier})], POLICY, NOW).priority for tier in ("1", "2", "3")]
    assert tuple(found) == tiers


def test_an_unknown_tier_is_two() -> None:
    assert tier_of({"tier": "gold"}, POLICY) == tier_of({}, POLICY) == 2


def test_policy_6_an_unknown_severity_is_the_default_and_says_so() -> None:
    found = classify([alert({"severity": "apocalyptic"})], POLICY, NOW)
    assert found.severity == "SEV3"
    assert "not known to the policy" in found.why[0]
    assert classify([alert()], POLICY, NOW).severity == "SEV3"


def test_the_worst_verdict_decides_and_every_reason_is_kept() -> None:
    found = classify([alert({"severity": "warning"}), alert({"severity": "critical"})], POLICY, NOW)
    assert found.severity == "SEV1"
    assert found.why == (
        "label severity=critical is SEV1",
        "label severity=warning is SEV3",
        "SEV1 on a tier 2 service is P0",
    )


def test_resolved_alerts_do_not_speak_while_others_fire() -> None:
    found = classify([alert({"severity": "warning"}), alert({"severity": "critical"}, status="resolved")], POLICY, NOW)
    assert found.severity == "SEV3"


def test_policy_8_the_shorter_clock_runs() -> None:
    assert POLICY.acknowledgement_clock(Severity.SEV1, Priority.P0) == timedelta(minutes=5)
    assert POLICY.acknowledgement_clock(Severity.SEV4, Priority.P3) == timedelta(days=1)


LABELS = st.dictionaries(
    st.sampled_from(["cluster", "namespace", "environment", "service", "job", "alertname"]), st.text(max_size=8)
)


@given(LABELS, LABELS)
def test_keys_are_equal_only_for_equal_identities(one: dict[str, str], other: dict[str, str]) -> None:
    def identity(labels: dict[str, str]) -> list[str]:
        return [next((labels[name] for name in names if labels.get(name)), "-") for names in POLICY.incident_key]

    assert (incident_key(one, POLICY) == incident_key(other, POLICY)) == (identity(one) == identity(other))


def test_a_service_nobody_names_is_unknown() -> None:
    assert service_of({}, POLICY) == "unknown"


def test_names_without_end_stay_short_and_stay_two() -> None:
    """They travel in every record about the incident, which would otherwise outgrow what a broker takes."""
    one, other = ({"service": "s" * 1_000_000 + end, "namespace": "n" * 1_000_000} for end in "ab")
    assert len(service_of(one, POLICY)) == len(environment_of(one, POLICY)) == LONGEST_NAME
    assert len(incident_key(one, POLICY)) < 1000
    assert incident_key(one, POLICY) != incident_key(other, POLICY)
