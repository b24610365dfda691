"""What follows after an incident: its postmortem and action items, with owners, due dates and reminders. POLICY 22, 24.

Pure, like models/incident.py: `decide` says which events follow from a signal, `evolve` folds them. A review belongs
to one incident (its key is the incident's id) and exists once something is owed. Its deadlines are part of its state.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from models.deadlines import POSTMORTEM, Deadline, deadline_id
from models.events import DeadlinePassed
from models.evolution import CorruptLogError
from models.policy import Policy
from models.review_events import (
    ActionItemAdded,
    ActionItemDone,
    OwnerReminded,
    PostmortemClosed,
    PostmortemOpened,
    PostmortemSuspended,
    ReviewEvent,
)
from models.review_signals import (
    ActionItemCompleted,
    ActionItemRequested,
    PostmortemCompleted,
    PostmortemRequired,
    PostmortemWithdrawn,
    ReviewSignal,
)
from models.severity import Priority, Severity
from models.signals import DeadlineReached

REMINDER = "reminder"
"""Suffix of the deadlines that precede a due date or repeat after it: `postmortem/reminder`, `<item id>/reminder`."""


@dataclass(frozen=True, slots=True)
class Postmortem:
    """Who owes it and until when. `suspended` while its incident is open again."""

    owner: str
    due_at: datetime
    severity: Severity
    title: str
    deadline_id: uuid.UUID
    """Of the deadline that the ending of its incident armed: each ending has its own."""
    status: Literal["open", "suspended", "completed"] = "open"
    url: str = ""


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something that somebody does by `due_at`."""

    id: uuid.UUID
    title: str
    owner: str
    due_at: datetime
    priority: Priority
    created_at: datetime
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that is owed after one incident. `seq` counts its events."""

    incident_id: uuid.UUID
    number: str
    seq: int
    policy_version: str
    last_at: datetime
    postmortem: Postmortem | None = None
    items: Mapping[str, ActionItem] = field(default_factory=dict)
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)


def decide(review: Review | None, signal: ReviewSignal, policy: Policy, now: datetime) -> list[ReviewEvent]:
    """The events that follow from `signal` at `now`; none when it is stale or repeated."""
    match signal:
        case PostmortemRequired():
            return [] if _is_opened(review, signal) else [_opened(signal, policy)]
        case ActionItemRequested():
            return [_item(signal, policy, now)]
        case _ if review is None:
            return []
        case _:
            return _later(review, signal, policy, now)


def _later(  # what can only follow once something is owed
    review: Review,
    signal: PostmortemWithdrawn | PostmortemCompleted | ActionItemCompleted | DeadlineReached,
    policy: Policy,
    now: datetime,
) -> list[ReviewEvent]:
    postmortem = review.postmortem
    match signal:
        case PostmortemWithdrawn():
            return [PostmortemSuspended()] if postmortem is not None and postmortem.status == "open" else []
        case PostmortemCompleted(by=by, url=url):
            done = postmortem is None or postmortem.status == "completed"
            return [] if done else [PostmortemClosed(by=by, url=url)]
        case ActionItemCompleted(item_id=item_id, by=by):
            item = review.items.get(str(item_id))
            return [] if item is None or item.done_at is not None else [ActionItemDone(item_id=item_id, by=by)]
        case DeadlineReached():
            return _deadline(review, signal, policy, now)
        case _:
            assert_never(signal)


def _is_opened(review: Review | None, signal: PostmortemRequired) -> bool:
    """This ending is known, however late it is told again."""
    return review is not None and review.postmortem is not None and review.postmortem.deadline_id == signal.deadline_id


def _opened(signal: PostmortemRequired, policy: Policy) -> PostmortemOpened:
    return PostmortemOpened(
        incident_id=signal.incident_id,
        number=signal.number,
        title=signal.title,
        severity=signal.severity,
        owner=signal.owner,
        due_at=signal.due_at,
        remind_at=_reminder(signal.resolved_at, signal.due_at, policy.review.remind_before),
        deadline_id=signal.deadline_id,
        policy_version=signal.policy_version,
    )


def _item(signal: ActionItemRequested, policy: Policy, now: datetime) -> ActionItemAdded:
    return ActionItemAdded(
        incident_id=signal.incident_id,
        number=signal.number,
        item_id=uuid.uuid5(signal.id, "action-item"),
        title=signal.title,
        owner=signal.owner,
        due_at=signal.due_at,
        remind_at=_reminder(now, signal.due_at, policy.review.remind_before),
        priority=signal.priority,
        by=signal.by,
        policy_version=signal.policy_version,
    )


def _reminder(start: datetime, due_at: datetime, before: timedelta) -> datetime:
    """`before` the due date; half-way there when the whole time is shorter than twice that."""
    return max(due_at - before, start + (due_at - start) / 2) if due_at > start else due_at


def _deadline(review: Review, signal: DeadlineReached, policy: Policy, now: datetime) -> list[ReviewEvent]:
    armed = review.deadlines.get(signal.name)
    if armed is None or armed.id != signal.deadline_id:
        return []
    subject = signal.name.removesuffix(f"/{REMINDER}")
    owner, due_at = _owed(review, subject)
    overdue = now >= due_at
    again = now + policy.review.overdue_every if overdue else None
    return [
        DeadlinePassed(name=signal.name),
        OwnerReminded(subject=subject, owner=owner, overdue=overdue, next_due=again),
    ]


def _owed(review: Review, subject: str) -> tuple[str, datetime]:
    if subject == POSTMORTEM and review.postmortem is not None:
        return review.postmortem.owner, review.postmortem.due_at
    item = review.items[subject]
    return item.owner, item.due_at


def evolve(review: Review | None, event: ReviewEvent, at: datetime) -> Review:
    """The state after `event`, which was decided at `at`. Total: a recorded event is a fact."""
    if review is None:
        review = _begun(event, at)
    return replace(_change(review, event, at), seq=review.seq + 1, last_at=at)


def _begun(event: ReviewEvent, at: datetime) -> Review:
    if not isinstance(event, PostmortemOpened | ActionItemAdded):
        message = f"{event.kind} before anything was owed"
        raise CorruptLogError(message)
    return Review(
        incident_id=event.incident_id, number=event.number, seq=0, policy_version=event.policy_version, last_at=at
    )


def _change(review: Review, event: ReviewEvent, at: datetime) -> Review:
    match event:
        case PostmortemOpened():
            owed = Postmortem(event.owner, event.due_at, event.severity, event.title, event.deadline_id)
            due = Deadline(event.deadline_id, POSTMORTEM, event.due_at)
            opened = replace(review, postmortem=owed, deadlines={**review.deadlines, POSTMORTEM: due})
            return _arm(opened, f"{POSTMORTEM}/{REMINDER}", event.remind_at)
        case PostmortemSuspended():
            return _disarm(_postmortem(review, status="suspended"), POSTMORTEM)
        case PostmortemClosed(url=url):
            return _disarm(_postmortem(review, status="completed", url=url), POSTMORTEM)
        case ActionItemAdded():
            item = ActionItem(event.item_id, event.title, event.owner, event.due_at, event.priority, at)
            added = replace(review, items={**review.items, str(item.id): item})
            return _arm(_arm(added, str(item.id), item.due_at), f"{item.id}/{REMINDER}", event.remind_at)
        case ActionItemDone(item_id=item_id):
            done = replace(review.items[str(item_id)], done_at=at)
            return _disarm(replace(review, items={**review.items, str(item_id): done}), str(item_id))
        case OwnerReminded(subject=subject, next_due=due):
            return review if due is None else _arm(review, f"{subject}/{REMINDER}", due)
        case DeadlinePassed(name=name):
            return replace(review, deadlines={key: value for key, value in review.deadlines.items() if key != name})
        case _:
            assert_never(event)


def _postmortem(review: Review, *, status: Literal["suspended", "completed"], url: str = "") -> Review:
    return (
        review
        if review.postmortem is None
        else replace(review, postmortem=replace(review.postmortem, status=status, url=url))
    )


def _arm(review: Review, name: str, due_at: datetime) -> Review:
    deadline = Deadline(deadline_id(review.incident_id, f"review/{name}", review.seq + 1), name, due_at)
    return replace(review, deadlines={**review.deadlines, name: deadline})


def _disarm(review: Review, subject: str) -> Review:
    kept = {name: due for name, due in review.deadlines.items() if name not in {subject, f"{subject}/{REMINDER}"}}
    return replace(review, deadlines=kept)
