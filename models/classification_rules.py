"""The shape of a policy's `classification`: where numbers come from, which severities follow, which kinds there are.

What the rules make of an alert: models/classification.py.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from models.policy_fields import Duration, Name, Section, Slug, When
from models.severity import Severity

PLACEHOLDER = re.compile(r"\$([a-zA-Z_][a-zA-Z0-9_]*)")
_QUOTED = re.compile(r"""["'`]\$[a-zA-Z_]""")
_AS_PATTERN = re.compile(r"[=!]~\s*\$[a-zA-Z_]")


def _askable(query: str) -> str:
    if _QUOTED.search(query):
        message = "write $label without quotes; they are put around the label's value"
        raise ValueError(message)
    if _AS_PATTERN.search(query):
        message = "=~ and !~ would take the label's value as a pattern; use = or !="
        raise ValueError(message)
    return query


def _lower(values: dict[str, Severity]) -> dict[str, Severity]:
    return {value.lower(): severity for value, severity in values.items()}


Severities = Annotated[dict[str, Severity], AfterValidator(_lower)]
"""Severities by a label's value, whatever its case."""
Bound = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A share of one: 0.25 is 25 %."""


class NumberSource(Section):
    """One place where a number may stand. Alertmanager does not hand on the value of an alert: it has to be put into an
    annotation (`{{ $value }}`) or asked for. In `query`, `$service` stands for the label's value, in quotes.
    """

    label: Name | None = None
    annotation: Name | None = None
    query: Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_askable)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> NumberSource:
        if sum(place is not None for place in (self.label, self.annotation, self.query)) != 1:
            message = "a number comes from one of label, annotation and query; list several sources one after another"
            raise ValueError(message)
        return self


class RateRule(Section):
    """`severity` when the rate is `above` a bound, or `at_least` it, for as long as `lasting`. POLICY 1, 2."""

    severity: Severity
    above: Bound | None = None
    at_least: Bound | None = None
    lasting: Duration = timedelta(0)
    acknowledge_within: Duration | None = None
    """A clock of its own, beside those of severity and priority; the shortest runs."""

    @model_validator(mode="after")
    def _has_one_bound(self) -> RateRule:
        if (self.above is None) == (self.at_least is None):
            message = "a rule has one bound: above (the bound itself is not meant) or at_least (it is)"
            raise ValueError(message)
        return self

    @property
    def bound(self) -> float:
        """The lower bound, whether or not it is meant itself."""
        return self.at_least if self.at_least is not None else self.above or 0.0

    def exceeded_by(self, rate: float) -> bool:
        """True for a rate that this rule is about."""
        return rate >= self.bound if self.at_least is not None else rate > self.bound


class RateRules(Section):
    """Where a rate stands, in the order in which the places are tried, and what follows from it. POLICY 1, 2."""

    sources: tuple[NumberSource, ...] = ()
    rules: tuple[RateRule, ...] = ()
    unanswered: Severity | None = None
    """The severity while a source that had to be asked gives no number; else the other rules decide alone."""


class LabelRule(Section):
    """`severity` for alerts whose labels match, once they have fired for as long as `lasting`. POLICY 2, 5."""

    when: When
    severity: Severity
    lasting: Duration = timedelta(0)


class KindRule(Section):
    """A kind of incident, by the labels of its alerts: the first that matches is it. POLICY 10, 20."""

    name: Slug
    when: When
    checklist: Slug | None = None
    """What has to be done in incidents of this kind; its steps are kept under this name."""
    experts: tuple[Name, ...] = ()


class ClassificationRules(Section):
    """Severity of an alert: each family may speak, the worst that any names is taken. POLICY 1, 2, 3, 5, 6, 20."""

    error_rate: RateRules = RateRules(sources=(NumberSource(annotation="error_rate"),))
    burn_rate: RateRules = RateRules(sources=(NumberSource(annotation="burn_rate"),))
    answer_within: Duration = timedelta(seconds=2)
    """How long alerts that came together may wait for numbers that have to be asked for."""
    impact_label: Name = "impact"
    impact: Severities = Field(default_factory=dict)
    labels: dict[str, Severities] = Field(default_factory=dict)
    """By label and value; a value that is not listed gives the default."""
    annotations: dict[str, Severities] = Field(default_factory=dict)
    """The same for annotations, but a value that is not listed says nothing: annotations are prose."""
    level_names: dict[Severity, tuple[Name, ...]] = Field(default_factory=dict)
    """What the team calls a level, the usual name first. All are known as values of the `labels` and `annotations`
    above.
    """
    rules: tuple[LabelRule, ...] = ()
    kinds: tuple[KindRule, ...] = ()
    default: Severity = Severity.SEV3

    @model_validator(mode="after")
    def _names_one_level_each(self) -> ClassificationRules:
        known: dict[str, Severity] = {}
        for severity, names in self.level_names.items():
            for name in names:
                if known.setdefault(name.lower(), severity) is not severity:
                    message = f"level_names: {name} is both {known[name.lower()]} and {severity}; keep one"
                    raise ValueError(message)
        return self

    def level_name(self, severity: Severity) -> str:
        """`P0/Critical (SEV1)` where the team calls it so, else `SEV1`."""
        own = self.level_names.get(severity, ())
        return f"{own[0]} ({severity})" if own and own[0] != severity else str(severity)

    def named(self, value: str) -> Severity | None:
        """The severity that a team's name of a level means."""
        wanted = value.strip().lower()
        found = (severity for severity, names in self.level_names.items() if wanted in map(str.lower, names))
        return next(found, None)
