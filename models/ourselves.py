"""Trouble of Tocsin's own, as alerts of its own: a SEV2 of the service `tocsin`, so that people are paged about it.

Once per key: what is told again joins the same incident as one and the same alert, which then does not grow. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.alert import Alert
from models.policy import Policy
from models.severity import Classification, ServiceTier, Severity
from models.signals import AlertsReported

OURSELVES = "tocsin"
"""The service, and the sender, of incidents about Tocsin itself, which are no news for customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong. `why` says why it is a SEV2."""

    key: str
    """Of the incident; begins with `tocsin/`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    title: str
    summary: str
    why: str


def reported(
    trouble: Trouble, signal_id: uuid.UUID, at: datetime, policy: Policy, policy_version: str
) -> AlertsReported:
    """The signal that opens the incident, or joins it."""
    alert = Alert(
        fingerprint=str(uuid.uuid5(uuid.NAMESPACE_URL, trouble.key)),
        status="firing",
        starts_at=at,
        labels=trouble.labels,
        annotations=trouble.annotations,
    )
    priority = policy.priority(Severity.SEV2, ServiceTier.TWO)
    return AlertsReported(
        id=signal_id,
        key=trouble.key,
        sender=OURSELVES,
        group=trouble.key,
        group_status="firing",
        truncated=0,
        alerts=(alert,),
        received_at=at,
        title=trouble.title,
        summary=trouble.summary,
        service=OURSELVES,
        environment="",
        links={},
        classification=Classification(Severity.SEV2, priority, ServiceTier.TWO, (trouble.why,)),
        policy_version=policy_version,
    )
