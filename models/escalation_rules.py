"""What a policy says about who is paged in which order: chains, their levels, and whom a level means. POLICY 9.

Owns the shape and the names in it; who is found at an instant: models/paging.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.oncall.names import Use
from models.policy_fields import Duration, EmailAddress, Name, Section
from models.severity import Severity

RoutingKey = Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")]
"""The environment variable that holds a PagerDuty routing key."""
WebhookVariable = Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")]
"""The environment variable that holds the URL of a webhook: a secret, as most of them let in whoever knows them."""
DEFAULT = "default"
"""The name of the chain `escalation`."""


class Target(Section):
    """Whom a level pages: one of these."""

    person: Name | None = None
    schedule: Name | None = None
    """Whoever is on call by it."""
    team: Name | None = None
    """Whoever of it is on call by its schedule; all its members where it has none."""
    pagerduty: RoutingKey | None = None
    slack_group: Annotated[str, Field(pattern=r"^S[A-Z0-9]{2,}$")] | None = None
    email: EmailAddress | None = None
    webhook: WebhookVariable | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1 or None in self.named:
            raise ValueError("a target is one of person, schedule, team, pagerduty, slack_group, email or webhook")
        return self

    @property
    def named(self) -> tuple[str, str]:
        """What it is, and its name."""
        (kind,) = self.model_fields_set
        return kind, getattr(self, kind)


class EscalationLevel(Section):
    """Who is paged at one step. `routing_key` pages those who have no key of their own, or, alone, is all there is."""

    name: Name
    routing_key: RoutingKey | None = None
    targets: tuple[Target, ...] = ()
    all_hands: bool = False
    """Also every member of the team that owns the service; of every team where none does. POLICY 9."""
    severities: frozenset[Severity] = frozenset(Severity)
    """It has its turn in incidents of these alone."""

    @model_validator(mode="after")
    def _pages_somebody(self) -> Self:
        if not (self.routing_key or self.targets or self.all_hands):
            raise ValueError("this level pages nobody; give it targets, a routing_key or all_hands: true")
        return self

    @property
    def paged(self) -> tuple[Target, ...]:
        """Its targets; a routing key alone is one."""
        alone = self.routing_key and not self.targets and not self.all_hands
        return (Target(pagerduty=self.routing_key),) if alone else self.targets

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """Those that the level itself names."""
        named = (self.routing_key, *(target.pagerduty for target in self.targets))
        return tuple(key for key in dict.fromkeys(named) if key)

    @property
    def webhooks(self) -> tuple[str, ...]:
        """The variables that hold the URLs of its webhooks."""
        return tuple(dict.fromkeys(target.webhook for target in self.targets if target.webhook))

    @property
    def variables(self) -> tuple[str, ...]:
        """Both: all that the environment has to hold for it."""
        return (*self.routing_keys, *self.webhooks)

    @property
    def only_variables(self) -> bool:
        """It names no person, schedule, team, group or address, but PagerDuty's keys and webhooks alone."""
        return not self.all_hands and all(target.pagerduty or target.webhook for target in self.paged)


class Escalation(Section):
    """The chain that is paged in order, and how often it is gone through before it is given up loudly. POLICY 9."""

    levels: Annotated[tuple[EscalationLevel, ...], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    receipt_within: Duration = timedelta(minutes=2)
    """A page that nobody confirmed starts its acknowledgement clock this long after the decision at the latest."""
    last_resort: RoutingKey | None = None
    """Paged when no level reaches anybody; else the first routing key of the levels is."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [level.name for level in self.levels]
        if len(set(names)) < len(names):
            raise ValueError(f"levels: the names must differ, but are {', '.join(names)}")
        return self

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """Those that its levels name, in order, and its last resort."""
        named = (*(key for level in self.levels for key in level.routing_keys), self.last_resort)
        return tuple(key for key in dict.fromkeys(named) if key)

    @property
    def webhooks(self) -> tuple[str, ...]:
        """The variables that hold the URLs of its levels' webhooks."""
        return tuple(dict.fromkeys(name for level in self.levels for name in level.webhooks))

    @property
    def is_addressed(self) -> bool:
        """It names addresses or webhooks themselves, which reach somebody at any hour."""
        return any(target.email or target.webhook for level in self.levels for target in level.targets)


def names_in(path: tuple[str | int, ...], chain: Escalation, known: Mapping[str, Collection[str]]) -> Iterator[Use]:
    """The names that a chain uses; `known` are those there are, by section."""
    for number, level in enumerate(chain.levels):
        for position, target in enumerate(level.targets):
            kind, name = target.named
            section = {"person": "people", "schedule": "schedules", "team": "teams"}.get(kind)
            if section is not None:
                yield (*path, "levels", number, "targets", position, kind), name, section, known[section]
