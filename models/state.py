"""What an incident is. Pure data, the whole of it: folding the log gives it again (models/evolution.py).

An incident waits for people only by its deadlines, which are part of this state. What follows from a signal:
models/incident.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from models.coordination import Coordination
from models.copies import replace
from models.correlated import Correlated
from models.deadlines import Deadline, deadline_id
from models.flaps import Flaps
from models.known_alerts import KnownAlerts
from models.page import Page, Pages, latest
from models.severity import PendingSeverity, Priority, ServiceTier, Severity
from models.signals import Stage

Status = Literal["triggered", "acknowledged", "resolved"]


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One generation of an incident. `seq` counts its events; `step` is the place in the escalation chain. No slots:
    see models.copies.
    """

    id: uuid.UUID
    key: str
    generation: int
    seq: int
    number: str
    title: str
    summary: str
    service: str
    environment: str
    tier: ServiceTier
    severity: Severity
    peak: Severity
    """The worst it has been; a channel or a status-page entry that once was stays in use."""
    priority: Priority
    why: tuple[str, ...]
    links: Mapping[str, str]
    status: Status
    stage: Stage
    policy_version: str
    started_at: datetime
    opened_at: datetime
    last_at: datetime
    kind: str = ""
    """Of incident, by its name in the policy. POLICY 20."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    taken_by: str | None = None
    """Who acknowledged last; not forgotten when a level is paged again."""
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    reopen_until: datetime | None = None
    """Until when it is this generation that an alert reopens."""
    last_update_at: datetime | None = None
    had: tuple[Priority, ...] = ()
    """Priorities before the present one: who was told because of them is told how it ends."""
    acknowledge_within: timedelta | None = None
    """A clock of its own, of the rule that classified it. POLICY 2."""
    alertname: str = ""
    """Of its first alert; empty where a person declared it."""
    step: int = 0
    held_step: int = 0
    """The place whose page waits for business hours, or for the end of maintenance, when one does."""
    held_by: str = ""
    """The maintenance window that it waits for, by its title; empty after hours."""
    pages: tuple[Page, ...] = ()
    paged_at: datetime | None = None
    """When a level was paged last."""
    heard_at: datetime | None = None
    """When the first page of the last level was confirmed."""
    chain: str | None = None
    """The chain that a person gave it, by its name; None for that of the service."""
    escalated_at: datetime | None = None
    """When a person had a level paged last."""
    pending: tuple[PendingSeverity, ...] = ()
    alerts: KnownAlerts = field(default_factory=KnownAlerts)
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)
    coordination: Coordination = field(default_factory=Coordination)
    correlated: Correlated = field(default_factory=Correlated)
    flaps: Flaps = field(default_factory=Flaps)

    @property
    def is_open(self) -> bool:
        """True until it is resolved."""
        return self.status != "resolved"

    def is_over(self, now: datetime) -> bool:
        """True once an alert no longer reopens it: from then on a new generation begins."""
        return self.reopen_until is not None and now > self.reopen_until

    @property
    def parent(self) -> str | None:
        """The key of the incident that it is attached to."""
        attachment = self.correlated.attachment
        return attachment.parent if attachment else None

    @property
    def attached_to(self) -> str:
        """The same for people: its number where that is known; empty for one that stands alone."""
        attachment = self.correlated.attachment
        if attachment is None:
            return ""
        return attachment.number or ("a storm" if attachment.reason == "storm" else attachment.parent)

    @property
    def firing(self) -> list[str]:
        """Fingerprints of the alerts that fire."""
        return self.alerts.firing

    @property
    def current_pages(self) -> Pages:
        """The pages of the step whose acknowledgement is waited for, when one is."""
        return latest(self.pages) if self.status == "triggered" else ()

    def dedup_key(self, page: Page) -> str:
        """PagerDuty's key of a page: generation (the id) and ordinal, so that no two pages share one."""
        return f"{self.id}/{page.ordinal}"

    def armed(self, name: str, due_at: datetime) -> Incident:
        """It waits for `due_at` by a deadline of that name, anew where it had one; named by the event that is next."""
        deadline = Deadline(deadline_id(self.id, name, self.seq + 1), name, due_at)
        return replace(self, deadlines={**self.deadlines, name: deadline})

    def disarmed(self, *names: str) -> Incident:
        """It waits for none of these."""
        if self.deadlines.keys().isdisjoint(names):
            return self
        kept = {name: deadline for name, deadline in self.deadlines.items() if name not in names}
        return replace(self, deadlines=kept)

    def scheduled(self, clocks: Mapping[str, datetime | None]) -> Incident:
        """Arms what has an instant and disarms the rest."""
        incident = self
        for name, due_at in clocks.items():
            incident = incident.disarmed(name) if due_at is None else incident.armed(name, due_at)
        return incident
