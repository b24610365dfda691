"""What the policy makes of alerts: which incident they belong to, how severe they are, of which kind, and why.

Owns identity (the incident key) and the SEV/P matrix's inputs. Pure: `now` is an argument, numbers come from the
alerts or were asked for beforehand (models/rates.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from models import rates
from models.alert import Alert
from models.classification_rules import KindRule
from models.policy import Policy
from models.policy_fields import When
from models.severity import Classification, PendingSeverity, ServiceTier, Severity, describe, worst

Labels = Mapping[str, str]
_Verdict = tuple[Severity, str]
_Numbers = Sequence[tuple[rates.Family, rates.Found]]
"""What an alert's rates are, of every family that the policy has rules for."""


LONGEST_NAME = 200
"""Characters of a label that names something; such a name travels in every record about its incident."""


def incident_key(labels: Labels, policy: Policy) -> str:
    """The identity of an incident: one quoted part per entry of `policy.incident_key`, `-` where no label is set;
    or the name of the grouping that matches, and its parts.
    """
    for grouping in policy.groupings:
        if matching(grouping.when, labels):
            return "/".join((grouping.name, *(_part(_first(labels, names)) for names in grouping.by)))
    return "/".join(_part(_first(labels, names)) for names in policy.incident_key)


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


def classify(
    alerts: Sequence[Alert], policy: Policy, now: datetime, answers: rates.Answers = MappingProxyType({})
) -> Classification:
    """Severity, priority and kind of the firing ones of `alerts` (of all, when none fires), with reasons. POLICY 1-6,
    20.

    Every rule may speak and the worst severity is taken. A rule whose condition has not lasted long enough classifies
    as the level already reached, at least SEV4, and is `pending` until it has.
    """
    firing = [alert for alert in alerts if alert.status == "firing"] or list(alerts)
    tier = min((tier_of(alert.labels, policy) for alert in firing), default=ServiceTier.TWO)
    families = rates.families(policy)
    found = [[(family, rates.find(alert, family, answers)) for family in families] for alert in firing]
    read = list(zip(firing, found, strict=True))
    verdicts = [verdict for alert, numbers in read for verdict in _spoken(alert, numbers, policy, now)]
    if not verdicts:
        verdicts = [
            (policy.classification.default, f"no rule names a severity: {policy.classification.default} by default")
        ]
    severity = worst([verdict[0] for verdict in verdicts])
    pending = sorted(
        {
            found
            for alert, numbers in read
            for found in _pending(alert, numbers, policy, now)
            if found.severity.worse_than(severity)
        },
        key=lambda found: (found.due_at, found.severity.rank),
    )
    priority = policy.priority(severity, tier)
    kind = kind_of(firing, policy)
    ordered = [text for _, text in sorted(verdicts, key=lambda verdict: verdict[0].rank)]
    remarks = [text for numbers in found for _, number in numbers for text in number.lacks]
    matrix = f"{severity} on a tier {tier.value} service is {priority}"
    why = dict.fromkeys([*ordered, *remarks, *([kind[1]] if kind else []), matrix])
    clocks = (rates.clock(family, number, alert, now) for alert, numbers in read for family, number in numbers)
    return Classification(
        severity,
        priority,
        tier,
        tuple(why),
        tuple(pending),
        kind[0].name if kind else "",
        min((clock for clock in clocks if clock), default=None),
    )


def kind_of(alerts: Sequence[Alert], policy: Policy) -> tuple[KindRule, str] | None:
    """The first kind that any of `alerts` matches, and why. POLICY 20."""
    for kind in policy.classification.kinds:
        for alert in alerts:
            if matched := matching(kind.when, alert.labels):
                return kind, f"kind {kind.name}: {matched}"
    return None


def _first(labels: Labels, names: Iterable[str]) -> str:
    for name in names:
        if value := labels.get(name):
            return value
    return ""


@lru_cache(10_000)
def _part(name: str) -> str:
    """Of a key. An over-long name by its beginning and its hash, so that two of them stay two."""
    distinct = name if len(name) <= LONGEST_NAME else f"{name[:64]}#{hashlib.sha256(name.encode()).hexdigest()}"
    return quote(distinct or "-", safe=" ")


def _spoken(alert: Alert, numbers: _Numbers, policy: Policy, now: datetime) -> Iterator[_Verdict]:
    yield from _by_rates(alert, numbers, now)
    rules = policy.classification
    impact = alert.labels.get(rules.impact_label, "").lower()
    if impact in rules.impact:
        yield rules.impact[impact], f"impact {impact} is {rules.impact[impact]}"
    for rule in rules.rules:
        if not (matched := matching(rule.when, alert.labels)):
            continue
        if now - alert.starts_at >= rule.lasting:
            yield rule.severity, f"{matched} is {rule.severity}"
        else:
            yield Severity.SEV4, f"{matched}, but not for long enough yet: {Severity.SEV4} meanwhile"
    yield from _by_names(alert, policy)


def _by_rates(alert: Alert, numbers: _Numbers, now: datetime) -> Iterator[_Verdict]:
    for family, found in numbers:
        if (verdict := rates.reached(family, found, alert, now)) is not None:
            yield verdict
        elif found.asked and (meanwhile := family.rules.unanswered) is not None:
            yield meanwhile, f"the {family.name} is not known: {meanwhile} meanwhile"


def _by_names(alert: Alert, policy: Policy) -> Iterator[_Verdict]:
    """Labels and annotations that name a severity, or a level as the team calls it. POLICY 5, 6."""
    rules = policy.classification
    for label, severities in rules.labels.items():
        value = alert.labels.get(label, "")
        if severity := severities.get(value.lower()) or rules.named(value):
            yield severity, f"label {label}={value.lower()} is {severity}"
        elif value:
            yield (
                rules.default,
                f"label {label}={value[:LONGEST_NAME].lower()} is not known to the policy: {rules.default} by default",
            )
    for annotation, severities in rules.annotations.items():
        value = alert.annotations.get(annotation, "").strip()
        if severity := severities.get(value.lower()) or rules.named(value):
            yield severity, f"annotation {annotation}={value.lower()} is {severity}"


def _pending(alert: Alert, numbers: _Numbers, policy: Policy, now: datetime) -> Iterator[PendingSeverity]:
    for family, found in numbers:
        yield from rates.pending(family, found, alert, now)
    for rule in policy.classification.rules:
        due_at = alert.starts_at + rule.lasting
        if due_at > now and (matched := matching(rule.when, alert.labels)):
            yield PendingSeverity(rule.severity, due_at, f"{matched} for {describe(rule.lasting)} is {rule.severity}")


def matching(when: When, labels: Labels) -> str:
    """The labels by which the first alternative matches, as `alertname=DiskFull`; empty where none does."""
    for patterns in when:
        values = {name: labels.get(name, "")[:LONGEST_NAME] for name in patterns}
        if all(re.fullmatch(pattern, values[name], re.IGNORECASE) for name, pattern in patterns.items()):
            return ", ".join(f"{name}={value}" for name, value in values.items())
    return ""
