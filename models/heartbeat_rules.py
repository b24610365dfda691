"""The shape of a policy's `heartbeats`. What they mean: models/heartbeats.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from models.policy_fields import Duration, Name, Section, Slug, When
from models.severity import ServiceTier, Severity


def _opens(severity: Severity | None) -> Severity | None:
    if severity is Severity.INFO:
        message = "INFO opens no incident, so nobody would hear of it; name SEV1 to SEV4"
        raise ValueError(message)
    return severity


class HeartbeatRule(Section):
    """An alert that always fires; a sender that has not sent it for longer than `within` has fallen silent."""

    name: Slug
    when: When = ({"alertname": "Watchdog"},)
    senders: frozenset[Name] = frozenset()
    """Who is expected to send it, from the first start on; left out, whoever has sent it once."""
    within: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(minutes=15)
    severity: Annotated[Severity | None, AfterValidator(_opens)] = None
    """Left out, SEV2 where that pages, else SEV1."""
    tier: ServiceTier = ServiceTier.ONE


def _distinct(rules: tuple[HeartbeatRule, ...]) -> tuple[HeartbeatRule, ...]:
    names = [rule.name for rule in rules]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        message = f"two heartbeats are called {repeated!r}; give each a name of its own"
        raise ValueError(message)
    return rules


Heartbeats = Annotated[tuple[HeartbeatRule, ...], AfterValidator(_distinct)]
