"""Policy: every rule of how incidents are classified, escalated, told and followed up, as validated data.

Owns the shape of a policy file and what can be wrong in it. Never reads files (see models.policy_file) or environment:
routing keys and people are named here, their secrets live elsewhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from models.checklist import Checklist
from models.classification_rules import ClassificationRules
from models.oncall.names import check_names
from models.oncall.sections import BusinessCalendar, OnCallSchedule, Team
from models.policy_fields import Duration, Name, Section, Slug
from models.role import Role
from models.severity import Priority, ServiceTier, Severity

SlackChannel = Annotated[str, Field(pattern=r"^#[a-z0-9_-]{1,80}$")]
Channel = Literal["page", "email", "slack", "ticket"]
"""A way in which people are told. The status page is for customers and goes by severity, not by priority. POLICY 18."""


def _all_priorities(channels: dict[Priority, frozenset[Channel]]) -> dict[Priority, frozenset[Channel]]:
    if missing := [priority for priority in Priority if not channels.get(priority)]:
        message = f"{' and '.join(missing)} would tell nobody; every priority needs a channel"
        raise ValueError(message)
    return channels


class Service(Section):
    """One entry of the service catalogue."""

    tier: ServiceTier = ServiceTier.TWO
    owner: Name | None = None
    """The team."""
    component: Name | None = None
    runbook_url: str | None = None
    dashboard_url: str | None = None
    slack_channel: SlackChannel | None = None
    """Where its incidents are announced, instead of the policy's channel."""
    escalation: Literal["default"] = "default"
    experts: tuple[Name, ...] = ()


class EscalationLevel(Section):
    """Who is paged at one step. `routing_key` names the environment variable that holds PagerDuty's key."""

    name: Name
    routing_key: Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")]


class Escalation(Section):
    """The chain that is paged in order, and how often it is gone through before it is given up loudly. POLICY 9."""

    levels: Annotated[tuple[EscalationLevel, ...], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    receipt_within: Duration = timedelta(minutes=2)
    """A page that nobody confirmed starts its acknowledgement clock this long after the decision at the latest."""


class AcknowledgeWithin(Section):
    """The acknowledgement clock of one level; where both speak the shorter one runs. POLICY 8."""

    severity: dict[Severity, Duration] = Field(default_factory=dict)
    priority: dict[Priority, Duration] = Field(default_factory=dict)


class Communication(Section):
    """Who is told where. POLICY 12, 17, 18."""

    slack_channel: SlackChannel = "#incidents"
    incident_channels: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    status_page: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    update_within: dict[Severity, Duration] = Field(default_factory=dict)
    remind_before_update: Duration = timedelta(minutes=5)
    """At most half of the time that an update may take."""
    status_page_every: dict[Severity, Duration] = Field(default_factory=dict)
    """How old the public entry of an open incident may grow."""


class RoleRule(Section):
    """Who takes a role by itself, in incidents of these severities."""

    severities: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    person: Name


class RoleRules(Section):
    """Who takes which role, and how soon somebody has to lead. POLICY 15."""

    commander_within: dict[Severity, Duration] = Field(default_factory=dict)
    incident_commander: RoleRule | None = None
    primary_resolver: RoleRule | None = None
    communications_lead: RoleRule | None = None
    subject_matter_expert: RoleRule | None = None
    scribe: RoleRule | None = None

    def assigned(self) -> list[tuple[Role, RoleRule]]:
        """The roles that the policy gives to somebody."""
        return [(role, rule) for role in Role if (rule := getattr(self, role)) is not None]


class ReviewRules(Section):
    """Postmortems and action items. POLICY 22, 24."""

    severities: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    within: Duration = timedelta(hours=48)
    long_outage: Duration = timedelta(hours=1)
    long_outage_within: Duration = timedelta(hours=4)
    owner: Name = "incident-commander"
    remind_before: Duration = timedelta(hours=4)
    overdue_every: Duration = timedelta(hours=24)


class Person(Section):
    """How a person named in incidents, action items and commands is reached."""

    slack: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")] | None = None
    email: str | None = None
    pagerduty: Annotated[str, Field(pattern=r"^TOCSIN_[A-Z0-9_]+$")] | None = None
    """The variable that holds the routing key of a PagerDuty service that pages this person alone."""


class Policy(Section):
    """One whole policy file."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    incident_key: Annotated[tuple[tuple[Name, ...], ...], Field(min_length=1)]
    """One tuple per part of the key: the labels to try in order."""
    service_labels: Annotated[tuple[Name, ...], Field(min_length=1)] = ("service",)
    environment_labels: tuple[Name, ...] = ("environment", "namespace")
    tier_label: Name = "tier"
    classification: ClassificationRules
    matrix: dict[Severity, dict[ServiceTier, Priority]]
    services: dict[str, Service] = Field(default_factory=dict)
    channels: Annotated[dict[Priority, frozenset[Channel]], AfterValidator(_all_priorities)]
    """Who is told how. POLICY 4, 19."""
    acknowledge_within: AcknowledgeWithin
    escalation: Escalation
    communication: Communication = Communication()
    review: ReviewRules = ReviewRules()
    roles: RoleRules = RoleRules()
    checklists: dict[Slug, Checklist] = Field(default_factory=dict)
    """By the names that the kinds of incident refer to. POLICY 20."""
    people: dict[str, Person] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=dict)
    schedules: dict[str, OnCallSchedule] = Field(default_factory=dict)
    calendars: dict[str, BusinessCalendar] = Field(default_factory=dict)
    reopen_within: Duration = timedelta(minutes=30)
    stale_after: Duration = timedelta(hours=24)

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
        names = [level.name for level in self.escalation.levels]
        if len(set(names)) < len(names):
            message = f"escalation.levels: the names must differ, but are {', '.join(names)}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _names_somebody(self) -> Policy:
        check_names(self.people, self.teams, self.schedules, self.calendars)
        for role, rule in self.roles.assigned():
            if rule.person not in self.people:
                message = f"roles.{role}: nobody is called {rule.person!r} in people; add them there"
                raise ValueError(message)
        return self

    def acknowledgement_clock(self, severity: Severity, priority: Priority) -> timedelta | None:
        """The shorter of the clocks that severity and priority give; None where neither does. POLICY 8."""
        clocks = (self.acknowledge_within.severity.get(severity), self.acknowledge_within.priority.get(priority))
        return min((clock for clock in clocks if clock is not None), default=None)

    def priority(self, severity: Severity, tier: ServiceTier) -> Priority:
        """The matrix. INFO is P3, whatever the tier. POLICY 4."""
        return Priority.P3 if severity is Severity.INFO else self.matrix[severity][tier]

    def pages(self, priority: Priority) -> bool:
        """True when a priority wakes somebody. POLICY 19."""
        return "page" in self.channels[priority]
