"""The status page: what customers are told, as facts. POLICY 18.

Pure. Nothing internal is named here: a publication carries words that were made for customers.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from models.severity import Severity
from models.signals import Stage
from models.statuspage_maintenance import PageMaintenance

Impact = Literal["none", "minor", "major", "critical"]
ComponentStatus = Literal["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]

IMPACTS: Mapping[Severity, Impact] = {
    Severity.SEV1: "critical",
    Severity.SEV2: "major",
    Severity.SEV3: "minor",
    Severity.SEV4: "none",
    Severity.INFO: "none",
}
_COMPONENT_STATUS: Mapping[Impact, ComponentStatus] = {
    "none": "operational",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "major_outage",
}
STATUSPAGE_IDS = uuid.UUID("6f2b1c1e-6a0e-5d0b-9a54-0c2f2f6f9a51")
"""Namespace of ids that are made of names, so that they stay the same whoever computes them."""
HISTORY_DAYS = 15


class UnpublishedError(Exception):
    """Raised by whoever keeps publications while they cannot: try again later. The message says why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One update for customers. Publishing the same `delivery_id` again changes nothing."""

    delivery_id: uuid.UUID
    incident_id: uuid.UUID
    number: str
    title: str
    stage: Stage
    impact: Impact
    component: str
    body: str
    started_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class PageUpdate:
    """What was said at one instant."""

    id: uuid.UUID
    stage: Stage
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PageIncident:
    """A problem as customers know it. `updates` are oldest first and never empty."""

    id: uuid.UUID
    number: str
    title: str
    component: str
    impact: Impact
    started_at: datetime
    updates: tuple[PageUpdate, ...]

    @property
    def stage(self) -> Stage:
        """What was said last."""
        return self.updates[-1].stage

    @property
    def updated_at(self) -> datetime:
        """When something was said last."""
        return self.updates[-1].at

    @property
    def resolved_at(self) -> datetime | None:
        """When it was said to be over; None while it is not (and once it has come back)."""
        return self.updates[-1].at if self.stage == "resolved" else None

    @property
    def monitoring_at(self) -> datetime | None:
        """When a fix was first said to be in place."""
        return next((update.at for update in self.updates if update.stage == "monitoring"), None)


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the system that customers know by name."""

    name: str
    status: ComponentStatus
    updated_at: datetime

    @property
    def id(self) -> uuid.UUID:
        """Made of the name."""
        return uuid.uuid5(STATUSPAGE_IDS, self.name)


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Everything that the page shows. `incidents` newest first; `at` is the present; `url` has no trailing slash."""

    name: str
    url: str
    incidents: tuple[PageIncident, ...]
    components: tuple[Component, ...]
    at: datetime
    maintenances: tuple[PageMaintenance, ...] = ()
    """The soonest first."""

    @property
    def updated_at(self) -> datetime:
        """When anything was said last; the present where nothing ever was."""
        return max((incident.updated_at for incident in self.incidents), default=self.at)

    @property
    def host(self) -> str:
        """The host of the address, as feed ids carry it."""
        return self.url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0]


def page_incidents(publications: Iterable[Publication]) -> tuple[PageIncident, ...]:
    """Publications in any order, each perhaps more than once, folded into incidents; the newest incident first."""
    by_incident: dict[uuid.UUID, dict[uuid.UUID, Publication]] = {}
    for publication in publications:
        by_incident.setdefault(publication.incident_id, {})[publication.delivery_id] = publication
    folded = [_fold(sorted(told.values(), key=_told_at)) for told in by_incident.values()]
    return tuple(sorted(folded, key=lambda incident: (incident.updates[0].at, incident.number), reverse=True))


def _told_at(publication: Publication) -> tuple[datetime, int]:
    """At one instant the stages stand in their own order."""
    return publication.at, get_args(Stage).index(publication.stage)


def _fold(told: list[Publication]) -> PageIncident:
    """The component as first told; impact and title as they were at the worst."""
    first = told[0]
    order = get_args(Impact)
    return PageIncident(
        id=first.incident_id,
        number=first.number,
        title=max(told, key=lambda one: order.index(one.impact)).title,
        component=first.component,
        impact=max((one.impact for one in told), key=order.index),
        started_at=min(one.started_at for one in told),
        updates=tuple(PageUpdate(one.delivery_id, one.stage, one.body, one.at) for one in told),
    )


def status_page(
    name: str,
    url: str,
    incidents: Iterable[PageIncident],
    components: Iterable[str],
    at: datetime,
    maintenances: Iterable[PageMaintenance] = (),
) -> StatusPage:
    """The page: `components` and those that incidents name, each in the worst state of its unresolved incidents; where
    there is none, under maintenance while it is.
    """
    told, planned = tuple(incidents), tuple(maintenances)
    active = [one for one in planned if one.status == "in_progress"]
    order = get_args(Impact)
    maintained = {component for one in active for component in one.components}
    names = list(dict.fromkeys([*components, *sorted({incident.component for incident in told} | maintained)]))
    states = []
    for component in names:
        own = [incident for incident in told if incident.component == component]
        impact: Impact = max((one.impact for one in own if one.resolved_at is None), key=order.index, default="none")
        changed_at = max((one.updated_at for one in own), default=at)
        status = _COMPONENT_STATUS[impact]
        if status == "operational" and any(one.concerns(component) for one in active):
            status = "under_maintenance"
        states.append(Component(component, status, changed_at))
    return StatusPage(name, url.rstrip("/"), told, tuple(states), at, planned)


def unresolved(page: StatusPage) -> tuple[PageIncident, ...]:
    """What is not over."""
    return tuple(incident for incident in page.incidents if incident.resolved_at is None)


def overall(page: StatusPage) -> Impact:
    """The worst impact of what is not over."""
    order = get_args(Impact)
    return max((incident.impact for incident in unresolved(page)), key=order.index, default="none")


def recent_days(page: StatusPage, days: int = HISTORY_DAYS) -> list[tuple[date, list[PageIncident]]]:
    """The last `days` days, today first, each with the incidents that were first told of on it (UTC)."""
    dates = [page.at.date() - timedelta(days=back) for back in range(days)]
    return [(day, [incident for incident in page.incidents if incident.updates[0].at.date() == day]) for day in dates]
