"""The shape of a policy's `roles`. What follows from it: models/roles.py."""

from __future__ import annotations

from pydantic import Field

from models.policy_fields import Duration, Name, Section
from models.role import Role
from models.severity import Severity


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
