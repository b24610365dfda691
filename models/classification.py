"""What the policy makes of alerts: which incident they belong to, how severe they are, and why.

Owns identity (the incident key) and the SEV/P matrix's inputs. Pure: `now` is an argument, numbers come from the
alerts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from models.alert import Alert
from models.policy import ErrorRateRule, Policy
from models.severity import Classification, PendingSeverity, ServiceTier, Severity, describe, worst

Labels = Mapping[str, str]
_Verdict = tuple[Severity, str]


LONGEST_NAME = 200
"""Characters of a label that names something; such a name travels in every record about its incident."""


def incident_key(labels: Labels, policy: Policy) -> str:
    """The identity of an incident: one quoted part per entry of `policy.incident_key`, `-` where no label is set."""
    return "/".join(quote(_distinct(_first(labels, names)) or "-", safe=" ") for names in policy.incident_key)


def service_of(labels: Labels, policy: Policy) -> str:
    """The service that the labels name, `unknown` where they name none."""
    return _first(labels, policy.service_labels)[:LONGEST_NAME] or "unknown"


def environment_of(labels: Labels, policy: Policy) -> str:
    """The environment or namespace that the labels name, empty where they name none."""
    return _first(labels, policy.environment_labels)[:LONGEST_NAME]


def tier_of(labels: Labels, policy: Policy) -> ServiceTier:
    """The tier by the catalogue, else by label, else 2."""
    entry = policy.services.get(service_of(labels, policy))
    if entry is not None:
        return entry.tier
    stated = labels.get(policy.tier_label, "")
    return ServiceTier(int(stated)) if stated in {"1", "2", "3"} else ServiceTier.TWO


def classify(alerts: Sequence[Alert], policy: Policy, now: datetime) -> Classification:
    """Severity and priority of the firing ones of `alerts` (of all, when none fires), with reasons. POLICY 1, 3, 4, 6.

    Every rule may speak and the worst severity is taken. A rule whose condition has not lasted long enough classifies
    as the level already reached, at least SEV4, and is `pending` until it has.
    """
    firing = [alert for alert in alerts if alert.status == "firing"] or list(alerts)
    tier = min((tier_of(alert.labels, policy) for alert in firing), default=ServiceTier.TWO)
    verdicts = [verdict for alert in firing for verdict in _spoken(alert, policy, now)]
    if not verdicts:
        verdicts = [
            (policy.classification.default, f"no rule names a severity: {policy.classification.default} by default")
        ]
    severity = worst([verdict[0] for verdict in verdicts])
    pending = sorted(
        {found for alert in firing for found in _pending(alert, policy, now) if found.severity.worse_than(severity)},
        key=lambda found: (found.due_at, found.severity.rank),
    )
    priority = policy.priority(severity, tier)
    ordered = sorted(verdicts, key=lambda verdict: verdict[0].rank)
    why = dict.fromkeys([*(text for _, text in ordered), f"{severity} on a tier {tier.value} service is {priority}"])
    return Classification(severity, priority, tier, tuple(why), tuple(pending))


def _first(labels: Labels, names: Iterable[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _distinct(name: str) -> str:
    """An over-long name by its beginning and its hash, so that two of them stay two."""
    return name if len(name) <= LONGEST_NAME else f"{name[:64]}#{hashlib.sha256(name.encode()).hexdigest()}"


def _spoken(alert: Alert, policy: Policy, now: datetime) -> Iterator[_Verdict]:
    rules = policy.classification
    rate = _error_rate(alert, policy)
    if rate is not None:
        yield _by_error_rate(rate, alert, policy, now)
    impact = alert.labels.get(rules.impact_label, "").lower()
    if impact in rules.impact:
        yield rules.impact[impact], f"impact {impact} is {rules.impact[impact]}"
    for label, severities in rules.labels.items():
        value = alert.labels.get(label, "").lower()
        if value in severities:
            yield severities[value], f"label {label}={value} is {severities[value]}"
        elif value:
            yield (
                rules.default,
                f"label {label}={value[:LONGEST_NAME]} is not known to the policy: {rules.default} by default",
            )


def _error_rate(alert: Alert, policy: Policy) -> float | None:
    """The stated error rate as a share of one; `62%` and `0.62` are the same, anything else is as if it were not
    there.
    """
    stated = alert.annotations.get(policy.classification.error_rate.annotation, "").strip()
    try:
        rate = float(stated.removesuffix("%")) / (100 if stated.endswith("%") else 1)
    except ValueError:
        return None
    return rate if 0 <= rate <= 1 else None


def _by_error_rate(rate: float, alert: Alert, policy: Policy, now: datetime) -> _Verdict:
    lasted = now - alert.starts_at
    exceeded = [rule for rule in policy.classification.error_rate.rules if rate > rule.above]
    reached = [rule for rule in exceeded if lasted >= rule.lasting]
    if reached:
        rule = min(reached, key=lambda rule: rule.severity.rank)
        return rule.severity, f"error rate {rate:.0%} is above {rule.above:.0%}{_lasting(rule)}: {rule.severity}"
    if exceeded:
        return Severity.SEV4, f"error rate {rate:.0%}, but not for long enough yet: {Severity.SEV4} meanwhile"
    return Severity.INFO, f"error rate {rate:.1%} is below every rule: {Severity.INFO}"


def _pending(alert: Alert, policy: Policy, now: datetime) -> Iterator[PendingSeverity]:
    rate = _error_rate(alert, policy)
    for rule in policy.classification.error_rate.rules if rate is not None else ():
        due_at = alert.starts_at + rule.lasting
        if rate is not None and rate > rule.above and due_at > now:
            why = f"error rate {rate:.0%} is above {rule.above:.0%}{_lasting(rule)}: {rule.severity}"
            yield PendingSeverity(rule.severity, due_at, why)


def _lasting(rule: ErrorRateRule) -> str:
    return f" for more than {describe(rule.lasting)}" if rule.lasting else ""
