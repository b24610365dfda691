"""What clients of the API are shown of reviews: postmortems and action items. Owns the wire form; a field that is here
stays.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel

from models.review import ActionItem, Postmortem
from models.severity import Priority, Severity
from models.store.rows import ReviewOf


class PostmortemView(BaseModel):
    incident_id: uuid.UUID
    number: str
    title: str
    severity: Severity
    owner: str
    due_at: datetime
    status: str
    url: str

    @classmethod
    def of(cls, owed: ReviewOf) -> PostmortemView:
        assert isinstance(owed.what, Postmortem)
        said = {name: getattr(owed.what, name) for name in ("title", "severity", "owner", "due_at", "status", "url")}
        return cls(incident_id=owed.incident_id, number=owed.number, **said)


class ActionItemView(BaseModel):
    id: uuid.UUID
    incident_id: uuid.UUID
    number: str
    title: str
    owner: str
    priority: Priority
    due_at: datetime
    created_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, owed: ReviewOf) -> ActionItemView:
        assert isinstance(owed.what, ActionItem)
        said = {
            name: getattr(owed.what, name)
            for name in ("id", "title", "owner", "priority", "due_at", "created_at", "done_at")
        }
        return cls(incident_id=owed.incident_id, number=owed.number, **said)


class PostmortemAnswer(BaseModel):
    changed: bool
    signal_id: uuid.UUID
    postmortem: PostmortemView


class ActionItemAnswer(BaseModel):
    changed: bool
    signal_id: uuid.UUID
    action_item: ActionItemView
