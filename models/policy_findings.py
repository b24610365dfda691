"""What can never work in a policy that is valid: rules that nothing reaches, and incidents that would wake nobody.

Pure. What depends on the environment (routing keys, addresses) is looked at by `tocsin policy check`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

from models.classification_rules import RateRule
from models.escalation_rules import DEFAULT
from models.heartbeats import judged_as
from models.maintenance_rules import EVERY_SERVICE, occurrences
from models.policy import Policy
from models.policy_fields import EMAIL_ADDRESS
from models.rates import families, percent
from models.severity import Priority, ServiceTier, Severity, describe

Path = tuple[str | int, ...]
SOON = timedelta(minutes=15)
"""A chain that is over sooner is over before somebody who sleeps has found the telephone."""
_A_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, in one line. A `fault` can never work; the rest is worth a look."""

    path: Path
    text: str
    fault: bool = True


def findings(policy: Policy) -> list[Finding]:
    """All of them, in the order of the file's sections."""
    return [
        *_rates(policy),
        *_names(policy),
        *_matrix(policy),
        *_escalation(policy),
        *_checklists(policy),
        *_dependencies(policy),
        *_maintenance(policy),
        *_people(policy),
        *_heartbeats(policy),
    ]


def _rates(policy: Policy) -> Iterator[Finding]:
    for family in families(policy):
        path = ("classification", family.name.replace(" ", "_"), "rules")
        rules = family.rules.rules
        for place, rule in enumerate(rules):
            if rule.bound > family.most:
                yield Finding((*path, place), f"no {family.name} is that high; 25% is written 0.25")
            elif winner := next((other for at, other in enumerate(rules) if _shadows(other, at, rule, place)), None):
                yield Finding((*path, place), _shadowed(rule, winner))
        if not family.rules.sources:
            yield Finding(path, f"no source says where the {family.name} comes from, so no rule is ever reached")


def _shadowed(rule: RateRule, by: RateRule) -> str:
    sooner = f"{by.severity} from {percent(by.bound)} on"
    return f"never decides: {sooner} speaks as soon, and is no milder than {rule.severity}"


def _shadows(other: RateRule, at: int, rule: RateRule, place: int) -> bool:
    """True when `other` speaks whenever `rule` does, no later and no milder; of two alike the first."""
    if at == place or other.severity.rank > rule.severity.rank or other.lasting > rule.lasting:
        return False
    lower = other.bound < rule.bound or (
        other.bound == rule.bound and (other.at_least is not None or rule.at_least is None)
    )
    same = (other.severity, other.lasting, other.bound) == (rule.severity, rule.lasting, rule.bound)
    return lower and not (same and place < at and rule.at_least == other.at_least)


def _names(policy: Policy) -> Iterator[Finding]:
    rules = policy.classification
    if rules.default is Severity.INFO:
        yield Finding(("classification", "default"), "an alert that no rule knows would be dropped; name a severity")
    for place, kind in enumerate(rules.kinds):
        before = [other for other in rules.kinds[:place] if other.name == kind.name or other.when == kind.when]
        if before:
            yield Finding(
                ("classification", "kinds", place), f"{kind.name} stands before: the first that matches is it"
            )


def _checklists(policy: Policy) -> Iterator[Finding]:
    wanted = {kind.checklist for kind in policy.classification.kinds}
    for place, kind in enumerate(policy.classification.kinds):
        if kind.checklist is not None and kind.checklist not in policy.checklists:
            what = f"checklists has no {kind.checklist}, so there is nothing to tick; write its steps there"
            yield Finding(("classification", "kinds", place, "checklist"), what, fault=False)
    for name in policy.checklists:
        if name not in wanted:
            yield Finding(("checklists", name), "no kind of incident has this checklist", fault=False)


def _dependencies(policy: Policy) -> Iterator[Finding]:
    for name, entry in policy.services.items():
        for place, other in enumerate(entry.dependencies):
            path = ("services", name, "dependencies", place)
            if other == name:
                yield Finding(path, f"{name} cannot depend on itself; name another service", fault=False)
            elif other not in policy.services:
                close = difflib.get_close_matches(other, policy.services, n=1)
                meant = f"did you mean {close[0]!r}?" if close else "it counts only if alerts name it so"
                yield Finding(path, f"services has no {other}; {meant}", fault=False)


def _matrix(policy: Policy) -> Iterator[Finding]:
    cells = {(severity, tier): policy.matrix[severity][tier] for severity, tier in product(_LEVELS, ServiceTier)}
    if not any(map(policy.pages, cells.values())):
        what = "no severity of any tier pages: nobody would ever be woken; add page to channels.P0"
        yield Finding(("channels",), what)
        return
    for (severity, tier), priority in cells.items():
        if severity is Severity.SEV1 and not policy.pages(priority):
            what = f"SEV1 on a tier {tier.value} service is {priority}, which pages nobody"
            yield Finding(("matrix", "SEV1"), what, fault=False)
    for priority in sorted(set(Priority) - set(cells.values()) - {Priority.P3}):
        yield Finding(("channels", priority), f"the matrix never gives {priority}", fault=False)


_LEVELS = [severity for severity in Severity if severity is not Severity.INFO]


def _escalation(policy: Policy) -> Iterator[Finding]:
    clocks = [
        clock
        for severity, tier in product(_LEVELS, ServiceTier)
        if policy.pages(priority := policy.matrix[severity][tier])
        and (clock := policy.acknowledgement_clock(severity, priority)) is not None
    ]
    for name, chain in policy.chains.items():
        path: Path = ("escalation",) if name == DEFAULT else ("escalations", name)
        over = min(clocks, default=SOON) * len(chain.levels) * chain.rounds
        if over < SOON:
            what = (
                f"the chain is given up {describe(over)} after the first page, before anyone wakes; add rounds or time"
            )
            yield Finding((*path, "rounds"), what, fault=False)
        if len(chain.levels) > 1 and len({level.paged for level in chain.levels}) == 1:
            yield Finding((*path, "levels"), "every level pages the same", fault=False)


def _heartbeats(policy: Policy) -> Iterator[Finding]:
    for place, rule in enumerate(policy.heartbeats):
        severity, priority = judged_as(rule, policy)
        if not policy.pages(priority):
            what = f"{severity} on tier {rule.tier.value} is {priority}: nobody is paged when the sender falls silent"
            yield Finding(("heartbeats", place), what, fault=False)


def _maintenance(policy: Policy) -> Iterator[Finding]:
    rules = policy.maintenance
    for name, rule in rules.recurring.items():
        path = ("maintenance", "recurring", name)
        spans = list(occurrences(rule, _A_MONDAY, _A_MONDAY + timedelta(days=7)))
        held = sum((span.end - span.start for span in spans), timedelta())
        if held >= timedelta(days=7):
            yield Finding((*path, "hours"), "it never ends, so nothing of these services would ever page")
        elif rule.covers_sev1 and EVERY_SERVICE in rule.services:
            yield Finding(path, "not even a SEV1 of any service pages meanwhile", fault=False)
        for service in rule.services if policy.services else ():
            if service not in policy.services and service != EVERY_SERVICE:
                what = f"services has no {service}; where no alert names it either, this window holds nothing of it"
                yield Finding((*path, "services"), what, fault=False)


def _people(policy: Policy) -> Iterator[Finding]:
    for name, person in policy.people.items():
        if not (person.slack or person.email or person.pagerduty):
            yield Finding(
                ("people", name), "there is no way to reach this person; add pagerduty, slack or email", fault=False
            )
        if person.email and not EMAIL_ADDRESS.fullmatch(person.email):
            yield Finding(("people", name, "email"), "not an e-mail address, so never mailed", fault=False)
