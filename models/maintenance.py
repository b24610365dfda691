"""A maintenance window: planned, announced, in force, over, watched. POLICY 21.

Pure, like models/incident.py: `decide` says which events follow from a signal, `evolve` folds them. What it means for
incidents: models/maintenance_holds.py. In force it is by its instants alone, so that nothing waits for a deadline.

    planned ──start──▶ started ──end──▶ ended ··watch··▶
       └────────┬─────────┘
                └──▶ cancelled
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from models.deadlines import Deadline, deadline_id
from models.events import DeadlinePassed
from models.evolution import CorruptLogError
from models.maintenance_events import (
    Fired,
    MaintenanceAnnounced,
    MaintenanceCancelled,
    MaintenanceEnded,
    MaintenanceEvent,
    MaintenanceMoved,
    MaintenancePlanned,
    MaintenanceStarted,
)
from models.maintenance_rules import EVERY_SERVICE
from models.maintenance_signals import (
    MaintenanceCancelRequested,
    MaintenanceEndRequested,
    MaintenanceRequested,
    MaintenanceSignal,
)
from models.ourselves import OURSELVES
from models.policy import Policy
from models.signals import DeadlineReached

ANNOUNCEMENT, START, END = "maintenance/announcement", "maintenance/start", "maintenance/end"
BY_POLICY = "policy"
"""Who plans and cancels what recurs."""
SHOWN = 30
"""Incidents that the note at its end names."""

WindowStatus = Literal["planned", "started", "ended", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """Which services, from when to when (the end is not part of it), and how it went. `seq` counts its events."""

    id: uuid.UUID
    seq: int
    title: str
    services: tuple[str, ...]
    environment: str | None
    starts_at: datetime
    ends_at: datetime
    covers_sev1: bool
    by: str
    rule: str
    watch: timedelta
    policy_version: str
    planned_at: datetime
    last_at: datetime
    status: WindowStatus = "planned"
    announce_due: tuple[datetime, ...] = ()
    announced_at: datetime | None = None
    """When it was first told; the status page shows it from then on."""
    ended_by: str | None = None
    """Who ended, moved or cancelled it."""
    fired: tuple[Fired, ...] = ()
    fired_count: int = 0
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """True until it is over or cancelled."""
        return self.status in {"planned", "started"}

    @property
    def watched_until(self) -> datetime:
        """The end of the watch."""
        return self.ends_at + self.watch

    def covers(self, service: str, environment: str) -> bool:
        """True for incidents of its services, in its environment where it has one."""
        named = service in self.services or (EVERY_SERVICE in self.services and service != OURSELVES)
        return named and self.environment in {None, environment}

    def is_in_force(self, now: datetime) -> bool:
        """From its start up to its end."""
        return self.is_open and self.starts_at <= now < self.ends_at

    def is_watched(self, now: datetime) -> bool:
        """After its end, for as long as its services are looked at more closely."""
        return self.status != "cancelled" and self.ends_at <= now < self.watched_until


def decide(
    window: MaintenanceWindow | None,
    signal: MaintenanceSignal,
    policy: Policy,
    now: datetime,
    fired: Sequence[Fired] = (),
) -> list[MaintenanceEvent]:
    """The events that follow from `signal` at `now`; none when it is stale or repeated. `fired` is what has fired in
    the window until now, the newest last.
    """
    match signal:
        case MaintenanceRequested():
            known = window is not None and not (window.status == "cancelled" and window.ended_by == BY_POLICY)
            return [] if known or signal.ends_at <= now else _planned(signal, policy, now)
        case _ if window is None or not window.is_open:
            return []
        case DeadlineReached(name=name, deadline_id=reached):
            armed = window.deadlines.get(name)
            known = armed is not None and armed.id == reached
            return [DeadlinePassed(name=name), _reached(window, name, now, fired)] if known else []
        case _ if window.ends_at <= now:  # it is over, though its deadline is late
            return []
        case MaintenanceCancelRequested(by=by):
            return [MaintenanceCancelled(by=by)]
        case MaintenanceEndRequested(by=by, ends_at=ends_at):
            until = max(ends_at or now, now)
            if until <= window.starts_at or until == window.ends_at:
                return []
            moved = MaintenanceMoved(ends_at=until, by=by)
            return [moved] if until > now else [moved, _ended(fired)]
        case _:
            assert_never(signal)


def _planned(signal: MaintenanceRequested, policy: Policy, now: datetime) -> list[MaintenanceEvent]:
    rules = policy.maintenance
    dues = sorted({signal.starts_at - before for before in rules.announced_before(signal.rule)})
    later = tuple(due for due in dues if due > now)
    planned = MaintenancePlanned(
        window_id=uuid.UUID(signal.key),
        title=signal.title,
        services=signal.services,
        environment=signal.environment,
        starts_at=signal.starts_at,
        ends_at=signal.ends_at,
        covers_sev1=signal.covers_sev1,
        by=signal.by,
        rule=signal.rule,
        watch=rules.watch,
        announce_due=later,
        policy_version=signal.policy_version,
    )
    if signal.starts_at <= now:
        return [planned, MaintenanceStarted()]
    return [planned, MaintenanceAnnounced(announce_due=later)] if len(later) < len(dues) else [planned]


def _reached(window: MaintenanceWindow, name: str, now: datetime, fired: Sequence[Fired]) -> MaintenanceEvent:
    if name == ANNOUNCEMENT:
        return MaintenanceAnnounced(announce_due=tuple(due for due in window.announce_due if due > now))
    return MaintenanceStarted() if name == START else _ended(fired)


def _ended(fired: Sequence[Fired]) -> MaintenanceEnded:
    return MaintenanceEnded(fired=tuple(fired[-SHOWN:]), count=len(fired))


def evolve(window: MaintenanceWindow | None, event: MaintenanceEvent, at: datetime) -> MaintenanceWindow:
    """The state after `event`, which was decided at `at`. Total: a recorded event is a fact."""
    if isinstance(event, MaintenancePlanned):
        changed = _begun(event, at)
    elif window is None:
        message = f"{event.kind} before maintenance_planned"
        raise CorruptLogError(message)
    else:
        changed = _change(window, event, at)
    after = replace(changed, seq=window.seq + 1 if window else 1, last_at=at)
    return after if isinstance(event, DeadlinePassed) else replace(after, deadlines=_armed(after))


def _begun(event: MaintenancePlanned, at: datetime) -> MaintenanceWindow:
    return MaintenanceWindow(
        id=event.window_id,
        seq=0,
        title=event.title,
        services=event.services,
        environment=event.environment,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        covers_sev1=event.covers_sev1,
        by=event.by,
        rule=event.rule,
        watch=event.watch,
        policy_version=event.policy_version,
        planned_at=at,
        last_at=at,
        announce_due=event.announce_due,
    )


def _change(window: MaintenanceWindow, event: MaintenanceEvent, at: datetime) -> MaintenanceWindow:
    match event:
        case MaintenanceAnnounced(announce_due=due):
            return replace(window, announce_due=due, announced_at=window.announced_at or at)
        case MaintenanceStarted():
            return replace(window, status="started", announce_due=(), announced_at=window.announced_at or at)
        case MaintenanceMoved(ends_at=ends_at, by=by):
            return replace(window, ends_at=ends_at, ended_by=by)
        case MaintenanceEnded(fired=fired, count=count):
            return replace(window, status="ended", fired=fired, fired_count=count)
        case MaintenanceCancelled(by=by):
            return replace(window, status="cancelled", ended_by=by)
        case DeadlinePassed(name=name):
            return replace(window, deadlines={one: due for one, due in window.deadlines.items() if one != name})
        case MaintenancePlanned():
            message = "maintenance_planned is no change"
            raise CorruptLogError(message)
        case _:
            assert_never(event)


def _armed(window: MaintenanceWindow) -> Mapping[str, Deadline]:
    """What it waits for, by its state alone; what is armed for the same instant already stays."""
    wanted: dict[str, datetime] = {}
    if window.status == "planned":
        wanted[START] = window.starts_at
        if window.announce_due:
            wanted[ANNOUNCEMENT] = window.announce_due[0]
    if window.is_open:
        wanted[END] = window.ends_at
    known = window.deadlines
    return {
        name: known[name]
        if name in known and known[name].due_at == due
        else Deadline(deadline_id(window.id, name, window.seq), name, due)
        for name, due in wanted.items()
    }
