"""Rates and what follows from them: the number behind a rule, the severity it has reached, and those still to come.

Pure. A number that has to be asked for is asked by triage beforehand; here it is an `Answer`, by the text of its query.
POLICY 1, 2.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.alert import Alert
from models.classification_rules import PLACEHOLDER, NumberSource, RateRule, RateRules
from models.policy import Policy
from models.severity import PendingSeverity, Severity, describe

LONGEST_VALUE = 200
"""Characters of a label's or annotation's value that are looked at, or told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave: a number, or the reason why there is none."""

    value: float | None
    why: str = ""


Answers = Mapping[str, Answer]
"""By the query as it was asked."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of rate. `most` is the largest that can be meant."""

    name: str
    rules: RateRules
    most: float


@dataclass(frozen=True, slots=True)
class Found:
    """A rate and, for one that was asked for, by whom it was given; `lacks` says why there is none."""

    rate: float | None
    given_by: str = ""
    lacks: tuple[str, ...] = ()
    asked: bool = False


def families(policy: Policy) -> tuple[Family, ...]:
    """Those that the policy has rules for."""
    rules = policy.classification
    both = (Family("error rate", rules.error_rate, 1.0), Family("burn rate", rules.burn_rate, math.inf))
    return tuple(family for family in both if family.rules.rules)


def asks(policy: Policy) -> bool:
    """True where some number has to be asked for."""
    return any(source.query is not None for family in families(policy) for source in family.rules.sources)


def questions(alert: Alert, policy: Policy) -> Iterator[str]:
    """The queries whose answers this alert's classification needs: none where the alert itself has the number."""
    for family in families(policy):
        for source in family.rules.sources:
            if source.query is None:
                if _stated(alert, source, family).rate is not None:
                    break
            elif (query := _expanded(source.query, alert)) is not None:
                yield query


def find(alert: Alert, family: Family, answers: Answers) -> Found:
    """The first number that a source has."""
    lacks: list[str] = []
    asked = False
    for source in family.rules.sources:
        found = _stated(alert, source, family) if source.query is None else _answered(alert, source, family, answers)
        if found.rate is not None:
            return found
        lacks += found.lacks
        asked |= found.asked
    return Found(None, lacks=tuple(lacks), asked=asked)


def reached(family: Family, found: Found, alert: Alert, now: datetime) -> tuple[Severity, str] | None:
    """The severity of a rate that has lasted until `now`, and why. None where there is no rate."""
    rate = found.rate
    if rate is None:
        return None
    lasted = now - alert.starts_at
    exceeded = [rule for rule in family.rules.rules if rule.exceeded_by(rate)]
    deciding = [rule for rule in exceeded if lasted >= rule.lasting]
    said = f"{family.name} {percent(rate)}{found.given_by}"
    rule = min(deciding, key=_strictness, default=None)
    if rule is not None and (rule.severity is not Severity.INFO or len(deciding) == len(exceeded)):
        return rule.severity, _sentence(family, found, rule)
    if exceeded:
        return Severity.SEV4, f"{said}, but not for long enough yet: {Severity.SEV4} meanwhile"
    return Severity.INFO, f"{said} is below every rule: {Severity.INFO}"


def clock(family: Family, found: Found, alert: Alert, now: datetime) -> timedelta | None:
    """The shortest clock of the rules that a rate has reached; None where none has one. POLICY 2."""
    lasted, rules = now - alert.starts_at, family.rules.rules if found.rate is not None else ()
    spoken = (rule for rule in rules if rule.exceeded_by(found.rate or 0.0) and lasted >= rule.lasting)
    return min((rule.acknowledge_within for rule in spoken if rule.acknowledge_within), default=None)


def pending(family: Family, found: Found, alert: Alert, now: datetime) -> Iterator[PendingSeverity]:
    """What the rate will reach if it lasts."""
    for rule in family.rules.rules if found.rate is not None else ():
        due_at = alert.starts_at + rule.lasting
        if rule.exceeded_by(found.rate or 0.0) and due_at > now:
            yield PendingSeverity(
                rule.severity, due_at, _sentence(family, found, rule), acknowledge_within=rule.acknowledge_within
            )


def percent(rate: float) -> str:
    """`62%`, `0.5%`: of a share."""
    return f"{rate * 100:.4g}%"


def _strictness(rule: RateRule) -> tuple[int, float]:
    return rule.severity.rank, -rule.bound


def _sentence(family: Family, found: Found, rule: RateRule) -> str:
    rate = percent(found.rate or 0.0)
    bound = f"at least {percent(rule.bound)}" if rule.at_least is not None else f"above {percent(rule.bound)}"
    lasting = f" for more than {describe(rule.lasting)}" if rule.lasting else ""
    return f"{family.name} {rate}{found.given_by} is {bound}{lasting}: {rule.severity}"


def _stated(alert: Alert, source: NumberSource, family: Family) -> Found:
    """`62%` and `0.62` are the same. What is no number, or cannot be meant, is said."""
    name, values = (source.label, alert.labels) if source.label else (source.annotation, alert.annotations)
    stated = values.get(name or "", "").strip()[:LONGEST_VALUE]
    if not stated:
        return Found(None)
    try:
        rate = float(stated.removesuffix("%")) / (100 if stated.endswith("%") else 1)
    except ValueError:
        rate = math.nan
    if 0 <= rate <= family.most and math.isfinite(rate):
        return Found(rate)
    return Found(None, lacks=(f"{name}={stated} is no {family.name}; write 62% or 0.62",))


def _answered(alert: Alert, source: NumberSource, family: Family, answers: Answers) -> Found:
    query = _expanded(source.query or "", alert)
    if query is None:
        return Found(None, lacks=(f"{family.name} was not asked for: a label that the query names is not set",))
    answer = answers.get(query, Answer(None, "nobody was asked"))
    if answer.value is not None and 0 <= answer.value <= family.most:
        return Found(answer.value, given_by=" (asked of Prometheus)")
    why = answer.why or f"{answer.value:g} cannot be one"
    return Found(None, lacks=(f"no {family.name} from Prometheus: {why}",), asked=True)


def _expanded(query: str, alert: Alert) -> str | None:
    """The query with every `$label` replaced by that label's value as a PromQL string; None where one is missing or
    endless.

    JSON's escapes are among those of PromQL, so a value can never end its string, whatever is in it.
    """
    names = set(PLACEHOLDER.findall(query))
    if not all(0 < len(alert.labels.get(name, "")) <= LONGEST_VALUE for name in names):
        return None
    return PLACEHOLDER.sub(lambda found: _literal(alert.labels[found[1]]), query)


def _literal(value: str) -> str:
    return json.dumps(value.encode(errors="replace").decode(), ensure_ascii=False)
