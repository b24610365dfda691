"""The documents of the status page's JSON API, in the shapes that readers of Atlassian's Statuspage already parse.

Pure. Owns the wire form alone; what is said stands in models.statuspage.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from models.statuspage import (
    STATUSPAGE_IDS,
    Component,
    Impact,
    PageIncident,
    PageUpdate,
    StatusPage,
    overall,
    unresolved,
)
from models.statuspage_maintenance import MaintenanceStatus, PageMaintenance

Document = dict[str, Any]

_DESCRIPTIONS: Mapping[Impact, str] = {
    "none": "All Systems Operational",
    "minor": "Minor Service Outage",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}
"""The sentences that readers match on."""


def _instant(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z" if at else None


def _page(page: StatusPage) -> Document:
    return {
        "id": uuid.uuid5(STATUSPAGE_IDS, page.url).hex[:12],
        "name": page.name,
        "url": page.url,
        "time_zone": "Etc/UTC",
        "updated_at": _instant(page.updated_at),
    }


def _component(component: Component, position: int, page: StatusPage) -> Document:
    return {
        "id": str(component.id),
        "name": component.name,
        "status": component.status,
        "created_at": _instant(component.updated_at),
        "updated_at": _instant(component.updated_at),
        "position": position,
        "description": None,
        "showcase": True,
        "start_date": None,
        "group_id": None,
        "page_id": _page(page)["id"],
        "group": False,
        "only_show_if_degraded": False,
    }


def _update(update: PageUpdate, incident: PageIncident) -> Document:
    return {
        "id": str(update.id),
        "status": update.stage,
        "body": update.body,
        "incident_id": str(incident.id),
        "created_at": _instant(update.at),
        "updated_at": _instant(update.at),
        "display_at": _instant(update.at),
        "affected_components": None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _incident(incident: PageIncident, page: StatusPage) -> Document:
    named = [
        _component(component, position, page)
        for position, component in enumerate(page.components, start=1)
        if component.name == incident.component
    ]
    return {
        "id": str(incident.id),
        "name": incident.title,
        "status": incident.stage,
        "created_at": _instant(incident.updates[0].at),
        "updated_at": _instant(incident.updated_at),
        "monitoring_at": _instant(incident.monitoring_at),
        "resolved_at": _instant(incident.resolved_at),
        "impact": incident.impact,
        "shortlink": f"{page.url}/#{incident.number}",
        "started_at": _instant(incident.started_at),
        "page_id": _page(page)["id"],
        "incident_updates": [_update(update, incident) for update in reversed(incident.updates)],
        "components": named,
        "reminder_intervals": None,
    }


def _status(page: StatusPage) -> Document:
    if overall(page) == "none" and any(one.status == "in_progress" for one in page.maintenances):
        return {"indicator": "maintenance", "description": "Service Under Maintenance"}
    return {"indicator": overall(page), "description": _DESCRIPTIONS[overall(page)]}


def _components(page: StatusPage) -> list[Document]:
    return [_component(component, position, page) for position, component in enumerate(page.components, start=1)]


def _maintenance(one: PageMaintenance, page: StatusPage) -> Document:
    return {
        "id": str(one.id),
        "name": one.title,
        "status": one.status,
        "created_at": _instant(one.announced_at),
        "updated_at": _instant(one.updated_at),
        "monitoring_at": None,
        "resolved_at": _instant(one.ends_at) if one.status == "completed" else None,
        "impact": "maintenance",
        "shortlink": f"{page.url}/#maintenance-{one.id}",
        "started_at": _instant(one.starts_at),
        "page_id": _page(page)["id"],
        "incident_updates": [],
        "components": [document for document in _components(page) if one.concerns(document["name"])],
        "reminder_intervals": None,
        "scheduled_for": _instant(one.starts_at),
        "scheduled_until": _instant(one.ends_at),
    }


def _maintenances(page: StatusPage, statuses: Iterable[MaintenanceStatus]) -> list[Document]:
    return [_maintenance(one, page) for one in page.maintenances if one.status in statuses]


def _maintained(*statuses: MaintenanceStatus) -> Callable[[StatusPage], Document]:
    return lambda page: {"page": _page(page), "scheduled_maintenances": _maintenances(page, statuses)}


def _summary(page: StatusPage) -> Document:
    return {
        "page": _page(page),
        "components": _components(page),
        "incidents": [_incident(incident, page) for incident in unresolved(page)],
        "scheduled_maintenances": _maintenances(page, ("scheduled", "in_progress")),
        "status": _status(page),
    }


API_DOCUMENTS: Mapping[str, Callable[[StatusPage], Document]] = {
    "summary.json": _summary,
    "status.json": lambda page: {"page": _page(page), "status": _status(page)},
    "components.json": lambda page: {"page": _page(page), "components": _components(page)},
    "incidents.json": lambda page: {
        "page": _page(page),
        "incidents": [_incident(incident, page) for incident in page.incidents[:50]],
    },
    "incidents/unresolved.json": lambda page: {
        "page": _page(page),
        "incidents": [_incident(incident, page) for incident in unresolved(page)],
    },
    "scheduled-maintenances.json": _maintained("scheduled", "in_progress", "completed"),
    "scheduled-maintenances/upcoming.json": _maintained("scheduled"),
    "scheduled-maintenances/active.json": _maintained("in_progress"),
}
"""What is served under `/api/v2/`: path → document."""
