"""What one batch of steps does to the states, their projections and their logs: each state once, as the batch left it.

`seq` is the fence: a state is written over the very one that was read, or not at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import itemgetter
from typing import Any, cast

from models.events import Event, IncidentOpened
from models.evolution import evolve
from models.maintenance import MaintenanceWindow
from models.review import ActionItem, Review
from models.state import Incident
from models.step import Logged
from models.store import log_writes, maintenance
from models.store.codec import INCIDENT, REVIEW, clean, indexed, to_json
from models.store.statements import AnyStep, Row, Rows, Statement

_INCIDENT = Rows(
    {
        "id": "uuid",
        "key": "text",
        "generation": "int",
        "number": "text",
        "seq": "int",
        "status": "text",
        "severity": "text",
        "priority": "text",
        "tier": "int",
        "service": "text",
        "environment": "text",
        "title": "text",
        "policy_version": "text",
        "opened_at": "timestamptz",
        "acknowledged_at": "timestamptz",
        "acknowledged_by": "text",
        "resolved_at": "timestamptz",
        "resolved_by": "text",
        "updated_at": "timestamptz",
        "parent": "text",
        "state": "json",
    }
)
_REVIEW = Rows(
    {
        "incident_id": "uuid",
        "number": "text",
        "seq": "int",
        "postmortem_status": "text",
        "postmortem_owner": "text",
        "postmortem_due_at": "timestamptz",
        "updated_at": "timestamptz",
        "state": "json",
    }
)
_ITEM = Rows(
    {
        "id": "uuid",
        "incident_id": "uuid",
        "number": "text",
        "title": "text",
        "owner": "text",
        "priority": "text",
        "due_at": "timestamptz",
        "created_at": "timestamptz",
        "done_at": "timestamptz",
    }
)

_KEEP_ITEMS = _ITEM.insert("action_item", "ON CONFLICT (id) DO UPDATE SET done_at = excluded.done_at")


def _update(table: str, rows: Rows, key: str) -> str:
    kept = {name: kind for name, kind in rows.columns.items() if name != key}
    fenced = Rows({**rows.columns, "read_seq": "int"})
    changes = ", ".join(f"{name} = t.{name}{'::json' if kind == 'json' else ''}" for name, kind in kept.items())
    return (
        f"UPDATE {table} s SET {changes} FROM {fenced.source} "  # noqa: S608 (constants of this package)
        f"WHERE s.{key} = t.{key} AND s.seq = t.read_seq"
    )


def _incident_row(it: Incident) -> Row:
    return (
        it.id,
        indexed(it.key),
        it.generation,
        it.number,
        it.seq,
        it.status,
        it.severity.value,
        it.priority.value,
        int(it.tier),
        clean(it.service),
        clean(it.environment),
        clean(it.title),
        it.policy_version,
        it.opened_at,
        it.acknowledged_at,
        None if it.acknowledged_by is None else clean(it.acknowledged_by),
        it.resolved_at,
        None if it.resolved_by is None else clean(it.resolved_by),
        it.last_at,
        None if it.parent is None else indexed(it.parent),
        to_json(INCIDENT, it),
    )


def _review_row(it: Review) -> Row:
    owed = it.postmortem
    about = (owed.status, clean(owed.owner), owed.due_at) if owed else (None, None, None)
    return (it.incident_id, it.number, it.seq, *about, it.last_at, to_json(REVIEW, it))


@dataclass(frozen=True, slots=True)
class _Kind:
    """How states of one kind are kept. `stream` is their log's."""

    stream: str
    insert: str
    update: str
    row: Callable[[Any], Row]


_KINDS: Mapping[type, _Kind] = {
    Incident: _Kind("incident", _INCIDENT.insert("incident"), _update("incident", _INCIDENT, "id"), _incident_row),
    Review: _Kind("review", _REVIEW.insert("review"), _update("review", _REVIEW, "incident_id"), _review_row),
    MaintenanceWindow: _Kind(
        "maintenance",
        maintenance.ROWS.insert("maintenance_window"),
        _update("maintenance_window", maintenance.ROWS, "id"),
        maintenance.row,
    ),
}


@dataclass(frozen=True, slots=True)
class _Part:
    """What a step (or a batch of them) did to one owner. `read_seq` is the state's when it was read; None for a new
    one.
    """

    owner_id: uuid.UUID
    read_seq: int | None
    state: Incident | Review | MaintenanceWindow
    signal_id: uuid.UUID
    events: tuple[Logged, ...]

    @property
    def kind(self) -> _Kind:
        return _KINDS[type(self.state)]

    @property
    def row(self) -> Row:
        return self.kind.row(self.state)


@dataclass(frozen=True, slots=True)
class Changes:
    """The statements of a batch. `fence` is the one that hits `expected` rows, or somebody else
    was there.
    """

    fence: Statement | None
    expected: int
    rest: list[Statement]
    at: Mapping[uuid.UUID, datetime]
    """When each signal that changed something did so."""


def write(steps: Iterable[AnyStep]) -> Changes:
    """States, projections and log, for the steps that changed something."""
    parts = [part for step in steps if step.events for part in _parts(step)]
    last = _last(parts)
    known, new = [one for one in last if one.read_seq is not None], [one for one in last if one.read_seq is None]
    rest: list[Statement] = []
    if new:
        rest.append((new[0].kind.insert, Rows.arrays(one.row for one in new)))
    if parts:
        rest.append(log_writes.write((it.kind.stream, it.owner_id, it.signal_id, it.events) for it in parts))
    at = {part.signal_id: part.events[-1].at for part in parts}
    return Changes(_fence(known), len(known), [*rest, *_projections(last)], at)


def _parts(step: AnyStep) -> Iterator[_Part]:
    """One part, or two where a step that opens a new generation first notes something in the old one."""
    before, after = step.before, step.after
    opening = next((place for place, entry in enumerate(step.events) if isinstance(entry.event, IncidentOpened)), None)
    if after is None:
        raise AssertionError("events without a state")
    if opening is None:
        yield _Part(_owner(after), before.seq if before else None, after, step.signal_id, step.events)
        return
    if opening and isinstance(before, Incident):
        old = reduce(
            lambda state, entry: evolve(state, cast("Event", entry.event), entry.at), step.events[:opening], before
        )
        yield _Part(before.id, before.seq, old, step.signal_id, step.events[:opening])
    yield _Part(_owner(after), None, after, step.signal_id, step.events[opening:])


def _last(parts: Iterable[_Part]) -> list[_Part]:
    """The last state of every owner with the `read_seq` of its first; sorted, so that locks are taken in one order."""
    found: dict[uuid.UUID, _Part] = {}
    for part in parts:
        first = found.get(part.owner_id)
        found[part.owner_id] = part if first is None else replace(part, read_seq=first.read_seq)
    return sorted(found.values(), key=lambda part: part.owner_id)


def _fence(known: Sequence[_Part]) -> Statement | None:
    if not known:
        return None
    return known[0].kind.update, Rows.arrays((*one.row, one.read_seq) for one in known)


def _projections(last: Iterable[_Part]) -> Iterator[Statement]:
    reviews = [one.state for one in last if isinstance(one.state, Review)]
    if items := [_item_row(review, item) for review in reviews for item in review.items.values()]:
        yield _KEEP_ITEMS, Rows.arrays(sorted(items, key=itemgetter(0)))


def _owner(state: Incident | Review | MaintenanceWindow) -> uuid.UUID:
    return state.incident_id if isinstance(state, Review) else state.id


def _item_row(review: Review, it: ActionItem) -> Row:
    about = (clean(it.title), clean(it.owner), it.priority.value)
    return (it.id, review.incident_id, review.number, *about, it.due_at, it.created_at, it.done_at)
