"""Policy: every rule of how incidents are classified, escalated, told and followed up, as validated data.

Owns the shape of a policy file and what can be wrong in it. Never reads files (see models.policy_file) or environment:
routing keys and people are named here, their secrets live elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from models.catalogue import Service
from models.checklist import Checklist
from models.classification_rules import ClassificationRules
from models.communication_rules import Communication
from models.correlation_rules import Correlation
from models.escalation_rules import DEFAULT, Escalation, names_in
from models.flapping_rules import FlappingRules
from models.heartbeat_rules import Heartbeats
from models.maintenance_rules import MaintenanceRules
from models.oncall.names import Use, check_names
from models.oncall.schedule import Imported
from models.oncall.sections import BusinessCalendar, OnCallSchedule, Team
from models.oncall.within import Within, due_at, parse_within
from models.policy_fields import EMAIL_ADDRESS, Duration, Name, Section, Slug, When, parse_duration
from models.review_rules import ReviewRules
from models.role_rules import RoleRules
from models.severity import Priority, ServiceTier, Severity

Clock = Annotated[Within, BeforeValidator(partial(parse_within, elapsed=parse_duration))]
"""Elapsed time, or business time of the team that owns the service."""
_SOME_TIME = datetime(2026, 1, 5, tzinfo=UTC)
Channel = Literal["page", "email", "slack", "ticket"]
"""A way in which people are told. The status page is for customers and goes by severity, not by priority. POLICY 18."""


def _all_priorities(channels: dict[Priority, frozenset[Channel]]) -> dict[Priority, frozenset[Channel]]:
    if missing := [priority for priority in Priority if not channels.get(priority)]:
        message = f"{' and '.join(missing)} would tell nobody; every priority needs a channel"
        raise ValueError(message)
    return channels


class Grouping(Section):
    """Alerts that match are one incident per value of the labels, whatever else they say. POLICY 7."""

    name: Slug
    when: When
    by: Annotated[tuple[tuple[Name, ...], ...], Field(min_length=1)]
    """One tuple per part of the key: the labels to try in order."""


class AcknowledgeWithin(Section):
    """The acknowledgement clock of one level; where both speak the shorter one runs. POLICY 8."""

    severity: dict[Severity, Clock] = Field(default_factory=dict)
    priority: dict[Priority, Clock] = Field(default_factory=dict)


class Person(Section):
    """How a person named in incidents, action items and commands is reached."""

    slack: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")] | None = None
    email: str | None = None
    pagerduty: Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")] | None = None
    """The variable that holds the routing key of a PagerDuty service that pages this person alone."""

    @property
    def address(self) -> str | None:
        """Where they can be mailed: their e-mail address, where it is one."""
        return self.email if self.email and EMAIL_ADDRESS.fullmatch(self.email) else None


class Policy(Section):
    """One whole policy file."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    incident_key: Annotated[tuple[tuple[Name, ...], ...], Field(min_length=1)]
    """One tuple per part of the key: the labels to try in order."""
    groupings: tuple[Grouping, ...] = ()
    """Alerts that make one incident by other labels; the first that matches counts."""
    service_labels: Annotated[tuple[Name, ...], Field(min_length=1)] = ("service",)
    environment_labels: tuple[Name, ...] = ("environment", "namespace")
    tier_label: Name = "tier"
    classification: ClassificationRules
    matrix: dict[Severity, dict[ServiceTier, Priority]]
    services: dict[str, Service] = Field(default_factory=dict)
    channels: Annotated[dict[Priority, frozenset[Channel]], AfterValidator(_all_priorities)]
    """Who is told how. POLICY 4, 19."""
    acknowledge_within: AcknowledgeWithin
    acknowledgement_expires: dict[Severity, Duration] = Field(default_factory=dict)
    """After so long without an update who took an incident is asked again: the level is paged once more."""
    escalation: Escalation
    escalations: dict[Slug, Escalation] = Field(default_factory=dict)
    """Further chains, by name; a service of the catalogue may name one."""
    communication: Communication = Communication()
    correlation: Correlation = Correlation()
    """Which incidents belong together. POLICY 7."""
    review: ReviewRules = ReviewRules()
    roles: RoleRules = RoleRules()
    maintenance: MaintenanceRules = MaintenanceRules()
    checklists: dict[Slug, Checklist] = Field(default_factory=dict)
    """By the names that the kinds of incident refer to. POLICY 20."""
    people: dict[str, Person] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=dict)
    schedules: dict[str, OnCallSchedule] = Field(default_factory=dict)
    calendars: dict[str, BusinessCalendar] = Field(default_factory=dict)
    reopen_within: Duration = timedelta(minutes=30)
    flapping: FlappingRules | None = None
    """Left out, an incident is resolved at every turn of its alerts."""
    stale_after: Duration = timedelta(hours=24)
    when_stale: Literal["tell", "resolve"] = "tell"
    """What follows when nobody has mentioned the firing alerts for that long."""
    heartbeats: Heartbeats = ()
    """Of senders: alerts that always fire, and what their absence means."""
    _imported: Mapping[str, Imported] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _is_complete(self) -> Policy:
        for severity in Severity:
            if severity is Severity.INFO:
                continue
            for tier in ServiceTier:
                if tier not in self.matrix.get(severity, {}):
                    message = (
                        f"matrix: {severity} has no priority for tier {tier.value}; every severity needs all three"
                    )
                    raise ValueError(message)
                priority = self.matrix[severity][tier]
                if self.pages(priority) and self.acknowledgement_clock(severity, priority) is None:
                    message = f"acknowledge_within: {severity}/{priority} pages but has no clock; add one to either"
                    raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _names_somebody(self) -> Policy:
        check_names(self.people, self.teams, self.schedules, self.calendars, self._names_of_escalation())
        for role, rule in self.roles.assigned():
            if rule.person not in self.people:
                message = f"roles.{role}: nobody is called {rule.person!r} in people; add them there"
                raise ValueError(message)
        return self

    def _names_of_escalation(self) -> Iterator[Use]:
        known: dict[str, Collection[str]] = {"people": self.people, "schedules": self.schedules, "teams": self.teams}
        yield from names_in(("escalation",), self.escalation, known)
        for name, chain in self.escalations.items():
            yield from names_in(("escalations", name), chain, known)
        for name, service in self.services.items():
            yield ("services", name, "escalation"), service.escalation, "escalations", {DEFAULT, *self.escalations}

    @property
    def imported(self) -> Mapping[str, Imported]:
        """What the calendars that schedules are kept in elsewhere say, by schedule: no part of the file."""
        return self._imported

    def with_calendars(self, imported: Mapping[str, Imported]) -> Policy:
        """The same policy, by what the calendars elsewhere say at present. docs/decisions/0028."""
        copy = self.model_copy()
        copy._imported = imported  # noqa: SLF001 (of the same class)
        return copy

    def owner(self, service: str) -> Team | None:
        """The team that owns a service of the catalogue."""
        entry = self.services.get(service)
        return self.teams.get(entry.owner) if entry and entry.owner else None

    def calendar(self, service: str) -> BusinessCalendar | None:
        """The hours of the team that owns a service, where it has a calendar. POLICY 8, 11."""
        owner = self.owner(service)
        return self.calendars.get(owner.calendar) if owner and owner.calendar else None

    def chain(self, service: str, named: str | None = None) -> Escalation:
        """The chain of levels for incidents of a service, or the `named` one that a person gave an incident. It stays
        with them, as service and policy version do.
        """
        if named is not None and named in self.chains:
            return self.chains[named]
        entry = self.services.get(service)
        return self.escalations.get(entry.escalation, self.escalation) if entry else self.escalation

    def depends_on(self, service: str) -> tuple[str, ...]:
        """The services without which a service does not work, itself not, the nearest first."""
        found: dict[str, None] = {}
        ahead = [service]
        for name in ahead:
            entry = self.services.get(name)
            new = [one for one in (entry.dependencies if entry else ()) if one != service and one not in found]
            found |= dict.fromkeys(new)
            ahead += new
        return tuple(found)

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The variables that hold the routing keys of people and of teams."""
        people = [person.pagerduty for person in self.people.values()]
        teams = [team.pagerduty for team in self.teams.values()]
        return tuple(key for key in dict.fromkeys((*people, *teams)) if key)

    @property
    def chains(self) -> Mapping[str, Escalation]:
        """All of them, by name."""
        return {DEFAULT: self.escalation, **self.escalations}

    def acknowledgement_clock(self, severity: Severity, priority: Priority) -> timedelta | None:
        """The shorter of the clocks that severity and priority give, where no team's hours are known; None where
        neither gives one. POLICY 8.
        """
        ends = (due_at(clock, None, _SOME_TIME) for clock in self._clocks(severity, priority))
        end = min(ends, default=None)
        return end - _SOME_TIME if end else None

    def acknowledge_due(
        self, service: str, severity: Severity, priority: Priority, begins: datetime
    ) -> datetime | None:
        """When a clock that begins then is over, by the hours of the team that owns the service. POLICY 8."""
        calendar = self.calendar(service)
        return min((due_at(clock, calendar, begins) for clock in self._clocks(severity, priority)), default=None)

    def _clocks(self, severity: Severity, priority: Priority) -> list[Within]:
        clocks = (self.acknowledge_within.severity.get(severity), self.acknowledge_within.priority.get(priority))
        return [clock for clock in clocks if clock is not None]

    def priority(self, severity: Severity, tier: ServiceTier) -> Priority:
        """The matrix. INFO is P3, whatever the tier. POLICY 4."""
        return Priority.P3 if severity is Severity.INFO else self.matrix[severity][tier]

    def pages(self, priority: Priority) -> bool:
        """True when a priority wakes somebody. POLICY 19."""
        return "page" in self.channels[priority]
