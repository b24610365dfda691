"""Maintenance as customers know it: what is scheduled, under way, and was lately. POLICY 18, 21.

Pure. A window is public from its first announcement on: its title is written for customers; services are shown as the
components that customers know, and nothing else of it gets here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.maintenance import MaintenanceWindow
from models.maintenance_rules import EVERY_SERVICE
from models.policy import Policy

MaintenanceStatus = Literal["scheduled", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class PageMaintenance:
    """One window. `components` is empty where all are concerned."""

    id: uuid.UUID
    title: str
    components: tuple[str, ...]
    status: MaintenanceStatus
    starts_at: datetime
    ends_at: datetime
    announced_at: datetime
    updated_at: datetime

    def concerns(self, component: str) -> bool:
        """True for its components."""
        return not self.components or component in self.components


def page_maintenances(
    windows: Iterable[MaintenanceWindow], component_of: Callable[[str], str], now: datetime
) -> tuple[PageMaintenance, ...]:
    """Those that were announced and not cancelled, the soonest first."""
    public = (window for window in windows if window.announced_at is not None and window.status != "cancelled")
    return tuple(sorted((_shown(window, component_of, now) for window in public), key=lambda one: one.starts_at))


def component_of(policy: Policy) -> Callable[[str], str]:
    """How customers call a service: by its component, else by its name."""

    def name(service: str) -> str:
        entry = policy.services.get(service)
        return (entry.component if entry else None) or service

    return name


def _shown(window: MaintenanceWindow, component_of: Callable[[str], str], now: datetime) -> PageMaintenance:
    everything = EVERY_SERVICE in window.services
    status: MaintenanceStatus = "scheduled"
    if not window.is_open or window.ends_at <= now:
        status = "completed"
    elif window.starts_at <= now:
        status = "in_progress"
    return PageMaintenance(
        id=window.id,
        title=window.title,
        components=() if everything else tuple(dict.fromkeys(map(component_of, window.services))),
        status=status,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        announced_at=window.announced_at or window.planned_at,
        updated_at=window.last_at,
    )
