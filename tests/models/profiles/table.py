"""What the tables are written in: an alert in, and what a shipped profile makes of it out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models.alert import Alert
from models.classification import classify
from models.policy import Policy
from models.policy_fields import parse_duration
from models.policy_file import parse_policy, shipped_policy
from models.severity import Classification, Severity

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def profile(name: str) -> Policy:
    return parse_policy(shipped_policy(name), f"{name}.yaml")


def alert(lasted: str = "0s", annotations: dict[str, str] | None = None, **labels: str) -> Alert:
    return Alert("f", "firing", NOW - parse_duration(lasted), labels, annotations or {})


def found(policy: Policy, one: Alert) -> Classification:
    return classify([one], policy, NOW)


def by_rate(policy: Policy, family: str, rate: str, lasted: str) -> str:
    return found(policy, alert(lasted, {family: rate})).severity


def matrix(policy: Policy) -> dict[str, str]:
    """`P0 P0 P1`, by severity: tier 1, 2, 3."""
    return {
        severity: " ".join(policy.matrix[severity][tier] for tier in sorted(policy.matrix[severity]))
        for severity in Severity
        if severity is not Severity.INFO
    }


def channels(policy: Policy) -> dict[str, str]:
    return {priority: " ".join(sorted(policy.channels[priority])) for priority in sorted(policy.channels)}


def clocks(policy: Policy) -> dict[str, str]:
    """The acknowledgement clock of every severity on a tier 1 service, in minutes."""
    spans = {
        severity: policy.acknowledgement_clock(severity, policy.matrix[severity][tier])
        for severity in Severity
        if severity is not Severity.INFO
        for tier in list(policy.matrix[severity])[:1]
    }
    return {severity: "-" if span is None else f"{span / timedelta(minutes=1):g}" for severity, span in spans.items()}


def updates(policy: Policy) -> dict[str, str]:
    within = policy.communication.update_within
    return {severity: f"{span / timedelta(minutes=1):g}" for severity, span in within.items()}


def levels(policy: Policy) -> list[str]:
    return [level.name for level in policy.escalation.levels]
