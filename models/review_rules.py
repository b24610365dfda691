"""The shape of a policy's `review`. What follows from it: models/generation.py, review.py."""

from __future__ import annotations

from datetime import timedelta

from models.policy_fields import Duration, Name, Section
from models.severity import Severity


class ReviewRules(Section):
    """Postmortems and action items. POLICY 22, 24."""

    severities: frozenset[Severity] = frozenset({Severity.SEV1, Severity.SEV2})
    within: Duration = timedelta(hours=48)
    long_outage: Duration = timedelta(hours=1)
    long_outage_within: Duration = timedelta(hours=4)
    owner: Name = "incident-commander"
    remind_before: Duration = timedelta(hours=4)
    overdue_every: Duration = timedelta(hours=24)
