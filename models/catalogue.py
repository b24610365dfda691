"""The shape of a policy's `services`, the service catalogue."""

from __future__ import annotations

from models.escalation_rules import DEFAULT
from models.policy_fields import Name, Section, SlackChannel
from models.severity import ServiceTier


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
    escalation: Name = DEFAULT
    """Of `escalations`, the chain that is paged for its incidents."""
    experts: tuple[Name, ...] = ()
    dependencies: tuple[Name, ...] = ()
    """Services without which it does not work."""
