"""Events of a review: what is owed after an incident, and what became of it. Its log, and the wire form of that.

Never what follows from them: models/review.py.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from models.events import DeadlinePassed
from models.severity import Priority, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemOpened:
    """Somebody owes a postmortem by `due_at`. POLICY 22."""

    kind: Literal["postmortem_opened"] = "postmortem_opened"
    incident_id: uuid.UUID
    number: str
    title: str
    severity: Severity
    owner: str
    due_at: datetime
    remind_at: datetime
    deadline_id: uuid.UUID
    """Of the deadline that the resolving transaction armed."""
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemSuspended:
    """The incident was reopened; its postmortem is due after it is resolved again."""

    kind: Literal["postmortem_suspended"] = "postmortem_suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemClosed:
    """The postmortem was held."""

    kind: Literal["postmortem_closed"] = "postmortem_closed"
    by: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItemAdded:
    """Somebody has something to do by `due_at`. POLICY 24."""

    kind: Literal["action_item_added"] = "action_item_added"
    incident_id: uuid.UUID
    number: str
    item_id: uuid.UUID
    title: str
    owner: str
    due_at: datetime
    remind_at: datetime
    priority: Priority
    by: str
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItemDone:
    """It was done."""

    kind: Literal["action_item_done"] = "action_item_done"
    item_id: uuid.UUID
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReminded:
    """An owner is told that something is due soon or overdue; `next_due` is when they are told again, if ever."""

    kind: Literal["owner_reminded"] = "owner_reminded"
    subject: str
    """`postmortem` or the id of an action item."""
    owner: str
    overdue: bool
    next_due: datetime | None


ReviewEvent = (
    PostmortemOpened
    | PostmortemSuspended
    | PostmortemClosed
    | ActionItemAdded
    | ActionItemDone
    | OwnerReminded
    | DeadlinePassed
)

_REVIEW_EVENTS: TypeAdapter[ReviewEvent] = TypeAdapter(Annotated[ReviewEvent, Field(discriminator="kind")])


def decode_review_event(value: bytes | str) -> ReviewEvent:
    """An event of a review's log."""
    return _REVIEW_EVENTS.validate_json(value)
