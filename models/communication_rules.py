"""The shape of a policy's `communication`: who is told where. What follows from it: models/channels.py, updates.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from models.policy_fields import Duration, EmailAddress, Section, SlackChannel
from models.severity import Severity


class Communication(Section):
    """Who is told where. POLICY 12, 16, 17, 18."""

    slack_channel: SlackChannel = "#incidents"
    incident_channels: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    status_page: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    update_within: dict[Severity, Duration] = Field(default_factory=dict)
    email: Annotated[tuple[EmailAddress, ...], Field(max_length=20)] = ()
    """Who is mailed of every incident whose channels have e-mail, beside the team that owns the service."""
    remind_before_update: Duration = timedelta(minutes=5)
    """At most half of the time that an update may take."""
    status_page_every: dict[Severity, Duration] = Field(default_factory=dict)
    """How old the public entry of an open incident may grow."""
