"""What people are told of how they work together, by event: the deliveries of models/coordination_events.py. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from models import roles, updates
from models.coordination_events import (
    ChecklistStepTicked,
    ChecklistStepUnticked,
    CommanderExpected,
    CommanderMissing,
    CoordinationEvent,
    PublicationOverdue,
    RoleAssigned,
    UpdateExpected,
    UpdateMissed,
    UpdateReminded,
)
from models.deliveries import DeliveryKind, Message
from models.policy import Policy
from models.state import Incident


def told(event: CoordinationEvent, incident: Incident, policy: Policy) -> Iterator[tuple[DeliveryKind, Message | None]]:
    """What `event` says to whom; `incident` is as it stands after it."""
    match event:
        case RoleAssigned() | CommanderMissing():
            yield from roles.told(event, incident, policy)
        case UpdateReminded() | UpdateMissed() | PublicationOverdue():
            yield from updates.told(event, incident, policy)
        case UpdateExpected() | CommanderExpected() | ChecklistStepTicked() | ChecklistStepUnticked():
            pass
        case _:
            assert_never(event)
    if isinstance(event, RoleAssigned | UpdateMissed | ChecklistStepTicked | ChecklistStepUnticked):
        yield DeliveryKind.REFRESH, None
