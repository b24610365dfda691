"""What people are told of a maintenance window, and when: one message per thing that happens. POLICY 21. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime

from models.deliveries import Delivery, DeliveryKind, Message, Urgency
from models.maintenance import MaintenanceWindow
from models.maintenance_events import (
    Fired,
    MaintenanceAnnounced,
    MaintenanceCancelled,
    MaintenanceEnded,
    MaintenanceEvent,
    MaintenanceMoved,
    MaintenanceStarted,
)
from models.maintenance_rules import EVERY_SERVICE
from models.policy import Policy
from models.severity import describe


def deliveries(event: MaintenanceEvent, window: MaintenanceWindow, policy: Policy) -> list[Delivery]:
    """The message to the channel of operations; `window` is as it stands after `event`. What nobody was told of
    before is not called off either.
    """
    text = "\n".join(_told(event, window))
    if not text:
        return []
    message = Message(text, slack_channel=policy.maintenance.slack_channel)
    return [
        Delivery(
            id=uuid.uuid5(window.id, f"delivery/{window.seq}"),
            incident_id=None,
            incident_key=f"maintenance/{window.id}",
            kind=DeliveryKind.MAINTENANCE,
            lane=f"maintenance/{window.id}",
            urgency=Urgency.PROMPT,
            message=message,
        )
    ]


def _told(event: MaintenanceEvent, window: MaintenanceWindow) -> Iterator[str]:
    name = f"Maintenance “{window.title}” of {of(window)}"
    match event:
        case MaintenanceAnnounced():
            yield f"{name} is planned from {_at(window.starts_at)} to {_at(window.ends_at)}."
            yield paging(window)
        case MaintenanceStarted():
            yield f"{name} begins; it ends at {_at(window.ends_at)}."
            yield paging(window)
        case MaintenanceMoved(by=by) if window.ends_at > window.last_at:
            yield f"{name} now ends at {_at(window.ends_at)} ({by})."
        case MaintenanceCancelled(by=by) if window.announced_at is not None:
            yield f"{name} is cancelled ({by}). What pages is paged from now on."
        case MaintenanceEnded(fired=fired, count=count):
            yield f"{name} is over. {_watched(window)}"
            yield from _fired(fired, count)
        case _:
            return


def of(window: MaintenanceWindow) -> str:
    """Its services, and its environment where it has one."""
    services = "all services" if EVERY_SERVICE in window.services else ", ".join(window.services)
    return f"{services} ({window.environment})" if window.environment else services


def paging(window: MaintenanceWindow) -> str:
    """What it means for those on call."""
    also = "" if window.covers_sev1 else ", SEV1 excepted"
    return f"Meanwhile nothing of it pages by itself{also}; what is still open at its end pages then, from level 1."


def _watched(window: MaintenanceWindow) -> str:
    return f"Its services are watched for {describe(window.watch)}." if window.watch else ""


def _fired(fired: tuple[Fired, ...], count: int) -> Iterator[str]:
    if not count:
        yield "Nothing fired meanwhile."
        return
    yield f"Fired meanwhile ({count}):"
    for one in fired:
        state = "still open, pages now if its priority does" if one.is_open else "over"
        yield f"• {one.number} {one.severity} {one.service}: {one.title} ({state})"
    if count > len(fired):
        yield f"• and {count - len(fired)} before these: see `tocsin incidents list`"


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
