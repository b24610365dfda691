"""An Alertmanager webhook (payload version 4, Alertmanager 0.25 to 0.34) and the alerts in it.

Owns the reading of what Alertmanager sends. Unknown keys are accepted, because every release adds some; a field of the
wrong type is refused with a reason. Never decides what an alert means.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from models.records import Unreadable

_LABELS = uuid.UUID("4b5a8ad2-6a57-4d0c-9f0c-3b6a2f5f6f10")
"""Namespace of the fingerprints that we derive for a sender that sends none."""

AlertStatus = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a group. `fingerprint` identifies its labels; `starts_at` is UTC and never in the future."""

    fingerprint: str
    status: AlertStatus
    starts_at: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """One webhook: alerts that Alertmanager grouped, from one sender, as received at one instant (UTC)."""

    webhook_id: uuid.UUID
    sender: str
    received_at: datetime
    group_key: str
    status: AlertStatus
    alerts: tuple[Alert, ...]
    truncated: int
    external_url: str


class _WireAlert(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: AlertStatus
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    startsAt: AwareDatetime  # noqa: N815 (Alertmanager's name)
    generatorURL: str = ""  # noqa: N815 (Alertmanager's name)
    fingerprint: str = ""


class _WireWebhook(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    groupKey: Annotated[str, Field(min_length=1)]  # noqa: N815 (Alertmanager's name)
    status: AlertStatus
    alerts: tuple[_WireAlert, ...] | None
    truncatedAlerts: int = 0  # noqa: N815 (Alertmanager's name)
    externalURL: str = ""  # noqa: N815 (Alertmanager's name)


class WebhookEnvelope(BaseModel):
    """The least that makes a body an Alertmanager webhook: what the receiver checks before it accepts it."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    groupKey: Annotated[str, Field(min_length=1)]  # noqa: N815 (Alertmanager's name)
    status: AlertStatus
    alerts: list[Any] | None


def read_envelope(body: bytes) -> WebhookEnvelope:
    """Checks that `body` is a version 4 webhook. Raises Unreadable with a reason for the sender."""
    try:
        return WebhookEnvelope.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None


def read_webhook(body: bytes, *, webhook_id: uuid.UUID, sender: str, received_at: datetime) -> AlertGroup:
    """Reads a whole webhook. Raises Unreadable naming the field that is wrong."""
    try:
        wire = _WireWebhook.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None
    return AlertGroup(
        webhook_id=webhook_id,
        sender=sender,
        received_at=received_at,
        group_key=wire.groupKey,
        status=wire.status,
        alerts=tuple(_alert(alert, received_at) for alert in wire.alerts or ()),
        truncated=wire.truncatedAlerts,
        external_url=wire.externalURL,
    )


def _alert(wire: _WireAlert, received_at: datetime) -> Alert:
    labels = wire.labels or {}
    return Alert(
        fingerprint=wire.fingerprint or str(uuid.uuid5(_LABELS, repr(sorted(labels.items())))),
        status=wire.status,
        starts_at=_instant(wire.startsAt, received_at),
        labels=labels,
        annotations=wire.annotations or {},
        generator_url=wire.generatorURL,
    )


def _instant(stated: datetime, received_at: datetime) -> datetime:
    """`stated` in UTC; a future one, or one before the calendar begins, is as good as `received_at`."""
    try:
        return min(stated.astimezone(UTC), received_at)
    except OverflowError:
        return received_at


_FREE = {"labels", "annotations", "links"}
"""Fields whose keys the sender makes up."""
_LONGEST_NAME = 60


def explain(error: ValidationError) -> str:
    """The first thing wrong in one line, as `alerts.0.labels: Input should be …`, with the number of further ones.

    What the sender made up stands in “” at the end, printable and cut, so that kinds of reasons can be told apart.
    """
    first, *rest = error.errors(include_url=False, include_context=False, include_input=False)
    loc = [str(step) for step in first["loc"]]
    ours = next((place for place, step in enumerate(loc, start=1) if step in _FREE), len(loc))
    where = ".".join(loc[:ours])
    line = f"{where}: {first['msg']}" if where else str(first["msg"])
    line += f" (and {len(rest)} more)" if rest else ""
    made_up = "".join(c if c.isprintable() else "\ufffd" for c in ".".join(loc[ours:])[:_LONGEST_NAME])
    return f"{line} in “{made_up}”" if made_up else line
