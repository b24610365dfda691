"""What a policy says about maintenance: how it is announced, and the windows that recur. POLICY 21.

Owns the shape, and when a recurring window is; never what follows from it: models/maintenance.py. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import Field

from models.oncall.spans import Span
from models.oncall.wall_time import Zone
from models.oncall.weekly import Hours, Weekly, spans_of
from models.policy_fields import Duration, Name, Section, SlackChannel, Slug

EVERY_SERVICE = "*"
"""Stands for all services but Tocsin itself, whose own trouble (an alert that cannot be read) may hide any other."""
LONGEST = timedelta(days=7)
"""A window during which nobody is woken is not longer; what takes longer is planned as several."""
Services = Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
Ahead = Annotated[tuple[Duration, ...], Field(max_length=10)]


class RecurringMaintenance(Section):
    """A window that comes back every week, in wall time: `{zone: Europe/Berlin, hours: {sun: "02:00-04:00"}}`."""

    title: Name
    services: Services
    environment: Name | None = None
    zone: Zone
    hours: Weekly
    covers_sev1: bool = False
    """True where not even a SEV1 pages meanwhile."""
    announce_before: Ahead | None = None
    """Instead of the policy's own, for what comes so often that nobody wants to read of it."""


class MaintenanceRules(Section):
    """Where maintenance is announced and how long before, and how long its services are watched afterwards."""

    slack_channel: SlackChannel = "#ops"
    announce_before: Ahead = (timedelta(days=14), timedelta(hours=24))
    """At the start and at the end it is told in any case."""
    watch: Duration = timedelta(hours=24)
    recurring: dict[Slug, RecurringMaintenance] = Field(default_factory=dict)

    def announced_before(self, name: str) -> tuple[timedelta, ...]:
        """How long before its start a window is announced; `name` is the rule's that it recurs by, or empty."""
        rule = self.recurring.get(name)
        return self.announce_before if rule is None or rule.announce_before is None else rule.announce_before


def occurrences(rule: RecurringMaintenance, start: datetime, end: datetime) -> Iterator[Span]:
    """When it is: every span that overlaps [start, end), whole, in order. What daylight saving skips is not there."""

    def hours_of(day: date) -> tuple[Hours, ...]:
        return rule.hours.get(day.weekday(), ())

    return spans_of(hours_of, rule.zone, start, end)


def occurrence_id(name: str, rule: RecurringMaintenance, span: Span) -> uuid.UUID:
    """The same for whoever asks; another one once the rule says something else."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"maintenance/{name}/{span.start.isoformat()}/{rule.model_dump_json()}")
