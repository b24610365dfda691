"""What goes on around an incident when a signal about it is decided: facts about other incidents, gathered beforehand.

Pure data, asked for once per batch (`Question`) and answered by the store under the batch's transaction. Whatever a
decision makes of them stands in its events, so that a replay needs none of this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from models.maintenance import MaintenanceWindow
from models.severity import Priority, Severity
from models.state import Incident

Place = tuple[str, str]
"""Environment and service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another incident that is open."""

    key: str
    number: str
    """Empty while it has none: it opened in the same batch."""
    service: str
    environment: str
    severity: Severity
    priority: Priority
    parent: str | None
    """The key of the one that it is attached to."""

    @classmethod
    def of(cls, incident: Incident) -> Neighbour:
        """As `incident` stands."""
        return cls(
            key=incident.key,
            number=incident.number,
            service=incident.service,
            environment=incident.environment,
            severity=incident.severity,
            priority=incident.priority,
            parent=incident.parent,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a batch needs to know."""

    services: frozenset[str] = frozenset()
    """Whose worst open incident, in every environment."""
    keys: frozenset[str] = frozenset()
    """Of incidents: those that are open, and those that they are attached to."""
    attached_to: frozenset[str] = frozenset()
    """Keys of incidents: how many are attached to each?"""
    environments: frozenset[str] = frozenset()
    """How many incidents have begun there within `window`, counted no further than `most`?"""
    window: timedelta = timedelta(0)
    most: int = 0

    def __bool__(self) -> bool:
        return bool(self.services or self.keys or self.attached_to or self.environments)


NOTHING_ASKED = Question()


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """The answer. What the batch itself opens is noted as it is decided, so that its signals see each other."""

    worst: dict[Place, Neighbour] = field(default_factory=dict)
    """The worst open incident of a service in an environment, of those that are attached to none."""
    by_key: dict[str, Neighbour] = field(default_factory=dict)
    """Open incidents of the keys asked for, and those that they are attached to."""
    attached: dict[str, int] = field(default_factory=dict)
    """How many open incidents are attached to a key."""
    begun: dict[str, int] = field(default_factory=dict)
    """How many incidents have begun in an environment of late."""
    windows: tuple[MaintenanceWindow, ...] = ()
    """Maintenance that is in force or watched; nobody needs to ask for it. POLICY 21."""

    def note(self, before: Incident | None, after: Incident) -> None:
        """What one step of the batch changed."""
        place = (after.environment, after.service)
        if before is None or before.id != after.id:
            self.begun[after.environment] = self.begun.get(after.environment, 0) + 1
        now = Neighbour.of(after)
        if after.is_open:
            self.by_key[after.key] = now
        else:
            self.by_key.pop(after.key, None)
        known = self.worst.get(place)
        pages_itself = after.is_open and after.parent is None
        if known is not None and known.key == after.key and not pages_itself:
            del self.worst[place]
        elif pages_itself and (known is None or known.key == after.key or now.severity.worse_than(known.severity)):
            self.worst[place] = now


NOTHING_AROUND = Surroundings()
"""Of an incident that is alone in the world. Nobody notes anything in it."""
