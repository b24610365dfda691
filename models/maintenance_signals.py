"""Signals of maintenance windows: what we are told about them, on `maintenance.signals`, keyed by the window's id.

Owns their wire form; never what follows from them: models/maintenance.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from models import wire
from models.signals import AnySignal, DeadlineReached, Via

TOPIC = "maintenance.signals"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told(AnySignal):
    by: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceRequested(_Told):
    """Somebody plans a window, or the policy's rule of that name does."""

    kind: Literal["maintenance_requested"] = "maintenance_requested"
    title: str
    services: tuple[str, ...]
    environment: str | None
    starts_at: datetime
    ends_at: datetime
    covers_sev1: bool
    rule: str = ""
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceEndRequested(_Told):
    """Its end is to be `ends_at`; None means now."""

    kind: Literal["maintenance_end_requested"] = "maintenance_end_requested"
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceCancelRequested(_Told):
    """It is not to take place, or not any longer."""

    kind: Literal["maintenance_cancel_requested"] = "maintenance_cancel_requested"


MaintenanceSignal = MaintenanceRequested | MaintenanceEndRequested | MaintenanceCancelRequested | DeadlineReached

_SIGNALS: TypeAdapter[MaintenanceSignal] = TypeAdapter(Annotated[MaintenanceSignal, Field(discriminator="kind")])


def decode_maintenance_signal(value: bytes | None) -> MaintenanceSignal:
    """A record of the topic. Raises Unreadable."""
    return wire.decode(_SIGNALS, value)
