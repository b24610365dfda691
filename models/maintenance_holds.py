"""What maintenance windows mean for an incident: what would page by itself is held, and its messages say so. POLICY 21.

Pure, a part of `decide` (models/incident.py): looks at what was decided, whatever decided it, so that no way to a page
is forgotten. A SEV1 pages unless the window covers it; what a person asks for pages in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from models.escalation import TOCSIN
from models.escalation_events import LevelPaged, LevelSkipped, NobodyOnCall, PageHeld
from models.events import Event, IncidentOpened, IncidentReopened, SeverityChanged
from models.evolution import evolve
from models.maintenance import MaintenanceWindow
from models.severity import Severity, describe
from models.state import Incident
from models.surroundings import Neighbour

Windows = Sequence[MaintenanceWindow]
"""Those that are in force, or watched."""


def withheld(incident: Incident | None, events: Sequence[Event], windows: Windows, now: datetime) -> list[Event]:
    """The same events, with what would page by itself held, and with what is known of maintenance among the reasons."""
    if not windows:
        return list(events)
    state, told = incident, list[Event]()
    for event in events:
        said = _said(event, state, windows, now)
        if isinstance(said, LevelPaged) and state and (window := _holding(state, said, windows, now)):
            said = PageHeld(step=0, until=window.ends_at, maintenance=window.title)
            told = [one for one in told if not isinstance(one, LevelSkipped | NobodyOnCall)]  # whose turn it is is open
        told.append(said)
        state = evolve(state, said, now)
    return told


def _holding(incident: Incident, page: LevelPaged, windows: Windows, now: datetime) -> MaintenanceWindow | None:
    if page.reason == "escalated" or (page.reason == "opened" and page.by != TOCSIN):
        return None
    return holding(incident, windows, now)


def holding(incident: Incident | Neighbour, windows: Windows, now: datetime) -> MaintenanceWindow | None:
    """The window by which nothing of an incident pages by itself; of several the one that ends last."""
    found = [
        window
        for window in windows
        if window.is_in_force(now)
        and window.covers(incident.service, incident.environment)
        and (window.covers_sev1 or incident.severity is not Severity.SEV1)
    ]
    return max(found, key=lambda window: window.ends_at, default=None)


def _said(event: Event, incident: Incident | None, windows: Windows, now: datetime) -> Event:
    """An incident that begins, or gets worse, in a window or soon after says so in every message."""
    match event:
        case IncidentOpened(service=service, environment=environment):
            return replace(event, why=(*event.why, *_why(service, environment, windows, now)))
        case SeverityChanged() if incident is not None:
            return replace(event, why=(*event.why, *_why(incident.service, incident.environment, windows, now)))
        case IncidentReopened() if incident is not None:
            why = _why(incident.service, incident.environment, windows, now)
            return replace(event, why="; ".join((event.why, *why)))
        case _:
            return event


def _why(service: str, environment: str, windows: Windows, now: datetime) -> list[str]:
    found = (window for window in windows if window.covers(service, environment))
    return [words for window in found if (words := _words(window, now))]


def _words(window: MaintenanceWindow, now: datetime) -> str:
    if window.is_in_force(now):
        return f"maintenance “{window.title}” is under way until {window.ends_at:%Y-%m-%d %H:%M} UTC"
    if window.is_watched(now):
        ago = max(timedelta(minutes=1), (now - window.ends_at) // timedelta(minutes=1) * timedelta(minutes=1))
        hours = ago // timedelta(hours=1)
        return f"maintenance “{window.title}” ended {f'{hours} h' if hours else describe(ago)} ago"
    return ""
