"""Signals of reviews: what we are told about postmortems and action items, on `review.signals`, keyed by the incident's
id.

Owns their wire form; never what follows from them: models/review.py.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from models import wire
from models.severity import Priority, Severity
from models.signals import AnySignal, Command, DeadlineReached


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemRequired(AnySignal):
    """An incident that needs a postmortem was resolved. POLICY 22."""

    kind: Literal["postmortem_required"] = "postmortem_required"
    incident_id: uuid.UUID
    number: str
    title: str
    severity: Severity
    owner: str
    resolved_at: datetime
    due_at: datetime
    deadline_id: uuid.UUID
    """Of the deadline that the resolving transaction armed."""
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemWithdrawn(AnySignal):
    """The incident was reopened, so its postmortem has to wait."""

    kind: Literal["postmortem_withdrawn"] = "postmortem_withdrawn"
    incident_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemCompleted(Command):
    """The postmortem has been held and written down at `url`."""

    kind: Literal["postmortem_completed"] = "postmortem_completed"
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItemRequested(Command):
    """Somebody adds an action item. POLICY 24."""

    kind: Literal["action_item_requested"] = "action_item_requested"
    number: str
    title: str
    owner: str
    due_at: datetime
    priority: Priority
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItemCompleted(Command):
    """Somebody reports an action item as done."""

    kind: Literal["action_item_completed"] = "action_item_completed"
    item_id: uuid.UUID


ReviewSignal = (
    PostmortemRequired
    | PostmortemWithdrawn
    | PostmortemCompleted
    | ActionItemRequested
    | ActionItemCompleted
    | DeadlineReached
)

_REVIEW_SIGNALS: TypeAdapter[ReviewSignal] = TypeAdapter(Annotated[ReviewSignal, Field(discriminator="kind")])


def decode_review_signal(value: bytes | None) -> ReviewSignal:
    """A record of `review.signals`. Raises Unreadable."""
    return wire.decode(_REVIEW_SIGNALS, value)
