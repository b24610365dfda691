# ruff: noqa: FAST003 (a dependency takes the path parameter)
"""The API of maintenance windows, under /api/v1. POLICY 21."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from models.maintenance import MaintenanceWindow, WindowStatus
from models.maintenance_rules import EVERY_SERVICE, LONGEST
from models.maintenance_signals import (
    MaintenanceCancelRequested,
    MaintenanceEndRequested,
    MaintenanceRequested,
    MaintenanceSignal,
)
from models.severity import Severity, describe
from streams import topics
from streams.web import api_requests as requests
from streams.web.api import API_ERRORS, LATER, authorise
from streams.web.commands import Commands, Giver, Ports, Told, later
from streams.web.errors import Problem
from streams.web.ports import WebPorts

router = APIRouter(prefix="/api/v1", tags=["maintenance"], dependencies=[Depends(authorise)], responses=API_ERRORS)


class PlanMaintenance(requests.Command):
    """Nothing of these services pages by itself meanwhile. `title` is shown to customers."""

    title: requests.Line
    services: Annotated[list[requests.Name], Field(min_length=1, max_length=100)] = Field(
        description="As alerts name them; `*` for all."
    )
    environment: requests.Name | None = None
    starts_at: requests.Instant | None = Field(default=None, description="Now when left out.")
    ends_at: requests.Instant
    covers_sev1: bool = Field(default=False, description="True where not even a SEV1 pages.")


class EndMaintenance(requests.Command):
    """Its end is to be `ends_at`, later or sooner; now when left out."""

    ends_at: requests.Instant | None = None


class FiredView(BaseModel):
    number: str
    title: str
    service: str
    severity: Severity
    is_open: bool


class MaintenanceView(BaseModel):
    """A window. `rule` is the policy's that it recurs by; `fired` is what fired in it, known at its end."""

    id: uuid.UUID
    title: str
    services: tuple[str, ...]
    environment: str | None
    starts_at: datetime
    ends_at: datetime
    watched_until: datetime
    covers_sev1: bool
    status: WindowStatus
    by: str
    rule: str
    announced_at: datetime | None
    ended_by: str | None
    fired: list[FiredView]
    fired_count: int

    @classmethod
    def of(cls, window: MaintenanceWindow) -> MaintenanceView:
        return cls.model_validate(window, from_attributes=True)


class MaintenanceAnswer(BaseModel):
    """What a command led to. `unknown` are services that the policy's catalogue does not have: is one misspelt?"""

    changed: bool
    signal_id: uuid.UUID
    window: MaintenanceView
    unknown: list[str]


async def _window(window_id: uuid.UUID, ports: Ports) -> MaintenanceWindow:
    window = await ports.reads.window(window_id)
    if window is None:
        raise Problem(404, f"there is no maintenance window {window_id}", "GET /api/v1/maintenance lists them.")
    return window


TheWindow = Annotated[MaintenanceWindow, Depends(_window)]


@router.get("/maintenance")
async def list_windows(
    ports: Ports, status: Annotated[list[WindowStatus] | None, Query()] = None
) -> list[MaintenanceView]:
    """What is planned, in force, or was within a month, by its start."""
    return [MaintenanceView.of(one) for one in await ports.reads.windows() if not status or one.status in status]


@router.post("/maintenance", status_code=201, response_model=MaintenanceAnswer, responses=LATER)
async def plan(asked: PlanMaintenance, told: Told, ports: Ports, giver: Giver) -> MaintenanceAnswer | Response:
    """Plans a window; it is announced to the channel of operations and on the status page."""
    now = await ports.reads.now()
    starts_at = asked.starts_at or now
    _check(starts_at, asked.ends_at, now)
    window_id = uuid.uuid5(told.id, "maintenance")
    signal = MaintenanceRequested(
        id=told.id,
        key=str(window_id),
        title=asked.title,
        services=tuple(dict.fromkeys(asked.services)),
        environment=asked.environment,
        starts_at=starts_at,
        ends_at=asked.ends_at,
        covers_sev1=asked.covers_sev1,
        by=asked.by,
        via=told.via,
        policy_version=ports.policy.version,
    )
    return await _given(signal, window_id, ports, giver)


@router.get("/maintenance/{window_id}")
async def show(window: TheWindow) -> MaintenanceView:
    """One window."""
    return MaintenanceView.of(window)


@router.post("/maintenance/{window_id}/end", response_model=MaintenanceAnswer, responses=LATER)
async def end(
    window: TheWindow, told: Told, ports: Ports, giver: Giver, asked: EndMaintenance | None = None
) -> MaintenanceAnswer | Response:
    """Ends it now, or moves its end. What it holds pages when it is over."""
    asked = asked or EndMaintenance()
    now = await ports.reads.now()
    if window.is_open and (asked.ends_at or now) <= window.starts_at:
        raise Problem(422, "ends_at: it would end before it begins", f"POST /api/v1/maintenance/{window.id}/cancel.")
    if asked.ends_at:
        _check(window.starts_at, asked.ends_at, now)
    signal = MaintenanceEndRequested(id=told.id, key=str(window.id), ends_at=asked.ends_at, by=asked.by, via=told.via)
    return await _given(signal, window.id, ports, giver)


@router.post("/maintenance/{window_id}/cancel", response_model=MaintenanceAnswer, responses=LATER)
async def cancel(
    window: TheWindow, told: Told, ports: Ports, giver: Giver, asked: requests.Command | None = None
) -> MaintenanceAnswer | Response:
    """It does not take place, or not any longer."""
    by = (asked or requests.Command()).by
    signal = MaintenanceCancelRequested(id=told.id, key=str(window.id), by=by, via=told.via)
    return await _given(signal, window.id, ports, giver)


def _check(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Raises Problem for a window that cannot be."""
    if ends_at <= max(starts_at, now):
        raise Problem(422, "ends_at: it is not after the start, or past already", "Give a later instant, with offset.")
    if ends_at - starts_at > LONGEST + timedelta(minutes=1):
        longest = describe(LONGEST)
        raise Problem(422, f"ends_at: nobody would be woken for more than {longest}", "Plan several windows.")


async def _given(
    signal: MaintenanceSignal, window_id: uuid.UUID, ports: WebPorts, giver: Commands
) -> MaintenanceAnswer | Response:
    handled = await giver.give(topics.MAINTENANCE_SIGNALS, signal)
    window = await ports.reads.window(window_id) if handled else None
    if handled is None or window is None:
        return later(signal.id)
    known: Mapping[str, object] = ports.policy.policy.services
    unknown = [name for name in window.services if known and name not in known and name != EVERY_SERVICE]
    return MaintenanceAnswer(
        changed=handled.changed, signal_id=signal.id, window=MaintenanceView.of(window), unknown=unknown
    )
