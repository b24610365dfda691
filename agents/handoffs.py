"""Tells every handoff of a schedule once: who leaves, who comes, what is open, what happened. POLICY 11.

Any number of workers look; the store lets one of them move a schedule's mark on, together with what is sent. A schedule
that is seen for the first time is marked as told up to then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from agents.ports import PolicyBook, Wake
from models import handoffs
from models.deliveries import Delivery
from models.oncall.handoff import IncidentFacts

_MOVE_ON_AFTER: Final = timedelta(minutes=5)
"""How old a mark grows while nothing happens. So a schedule that is edited has no past that could be told."""


class HandoffStore(Protocol):
    """Up to which instant handoffs were told, and what has happened."""

    async def marks(self, schedules: Collection[str]) -> tuple[datetime, Mapping[str, datetime]]:
        """The database's time, and each schedule's mark; one that has none gets the present."""
        ...

    async def happened(self, since: datetime) -> Mapping[str, list[IncidentFacts]]:
        """Incidents that are open, or were after `since`, by service."""
        ...

    async def tell(self, schedule: str, mark: datetime, upto: datetime, told: Sequence[Delivery]) -> bool:
        """Moves a mark and keeps what is to be sent, both or neither; False where the mark is another by now."""
        ...


@dataclass(frozen=True, slots=True)
class HandoffPorts:
    """What this agent needs."""

    store: HandoffStore
    policies: PolicyBook
    wake: Wake


async def tell(ports: HandoffPorts) -> int:
    """One look at every schedule; how many handoffs were told."""
    policy = await ports.policies.of(None)
    names = handoffs.judged(policy)
    if not names:
        return 0
    now, marks = await ports.store.marks(names)
    due = {one.schedule: one for one in handoffs.due_notes(policy, marks, now)}
    happened = await ports.store.happened(min(one.since for one in due.values())) if due else {}
    count = 0
    for name, mark in marks.items():
        sent = handoffs.deliveries(due[name], happened, policy) if name in due else []
        if not sent and now - mark < _MOVE_ON_AFTER:
            continue
        if await ports.store.tell(name, mark, now, sent) and sent:
            ports.wake({one.provider for one in sent})
            count += 1
    return count
