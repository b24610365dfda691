"""Deadlines as data: a name, an instant, and the ledger's states. Due-ness is decided by the store, never by a clock
here.

Every deadline that was armed ends as fired, cancelled or superseded. A deadline is stale by its id, never by its time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Deadlines = Mapping[str, "Deadline"]
"""The armed deadlines of one incident or review, by name. At most one of a name is armed at a time."""

ACKNOWLEDGE = "acknowledge"
RECLASSIFY = "reclassify"
STALE = "stale"
WAKE = "wake"
"""Business hours begin, and with them the page that waited. POLICY 11."""
ACKNOWLEDGEMENT = "acknowledgement"
"""Whoever took it is asked again."""
UPDATE = "update"
UPDATE_REMINDER = "update/reminder"
PUBLICATION = "publication"
"""The status page's entry grows old. POLICY 12."""
COMMANDER = "commander"
"""Somebody has to lead. POLICY 15."""
ATTACHMENT = "attachment"
"""An attached incident looks whether the other is still open."""
STORM = "storm"
"""A storm looks whether it is over."""
CALM = "calm"
"""The alerts of a flapping incident have resolved, and none has fired again."""
POSTMORTEM = "postmortem"
"""Armed by the resolving transaction itself; answered by the review."""


class DeadlineStatus(StrEnum):
    """pending → claimed (a lease) → fired; or pending/claimed → cancelled | superseded."""

    PENDING = "pending"
    CLAIMED = "claimed"
    FIRED = "fired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that happens at `due_at` (UTC) unless it is cancelled before."""

    id: uuid.UUID
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change to the ledger."""

    deadline: Deadline
    status: DeadlineStatus


def deadline_id(owner: uuid.UUID, name: str, serial: int) -> uuid.UUID:
    """The id of the `serial`-th deadline that its owner armed; the same after every replay."""
    return uuid.uuid5(owner, f"deadline/{name}/{serial}")


def ledger(before: Deadlines, after: Deadlines, reached: uuid.UUID | None) -> list[LedgerEntry]:
    """What one step did to the deadlines; `reached` is the id of the deadline whose coming due was this step."""
    entries = []
    for name, deadline in before.items():
        successor = after.get(name)
        if deadline.id == reached:
            entries.append(LedgerEntry(deadline, DeadlineStatus.FIRED))
        elif successor is None:
            entries.append(LedgerEntry(deadline, DeadlineStatus.CANCELLED))
        elif successor.id != deadline.id:
            entries.append(LedgerEntry(deadline, DeadlineStatus.SUPERSEDED))
    known = {deadline.id for deadline in before.values()}
    entries.extend(LedgerEntry(new, DeadlineStatus.PENDING) for new in after.values() if new.id not in known)
    return entries
