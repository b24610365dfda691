"""What one batch of steps adds to the log, and what the feed has to publish of it. Never changes what stands there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from models import wire
from models.step import Logged
from models.store.codec import json_text
from models.store.statements import Row, Rows, Statement

INCIDENT = "incident"
"""The stream that the feed publishes."""

_EVENT = Rows(
    {
        "owner_id": "uuid",
        "stream": "text",
        "seq": "int",
        "at": "timestamptz",
        "kind": "text",
        "signal_id": "uuid",
        "body": "json",
    }
)
_STRETCH = Rows({"at": "timestamptz", "owner_id": "uuid", "first": "int", "last": "int"})
_INSERT = f"WITH unpublished AS ({_STRETCH.insert('unpublished')}) {_EVENT.insert('event')}"

Part = tuple[str, uuid.UUID, uuid.UUID, tuple[Logged, ...]]
"""Stream, owner, signal and what followed from it."""


def write(parts: Iterable[Part]) -> Statement:
    """The events of all parts, and of every incident the stretch that the feed waits for."""
    told = list(parts)
    stretches = list(_stretches(told))
    waiting = Rows.arrays(stretches) if stretches else [[] for _ in _STRETCH.columns]
    return _INSERT, [*waiting, *Rows.arrays(row for part in told for row in _rows(*part))]


def _stretches(parts: Iterable[Part]) -> Iterator[Row]:
    found: dict[uuid.UUID, list[Logged]] = {}
    for stream, owner, _, events in parts:
        if stream == INCIDENT:
            found.setdefault(owner, []).extend(events)
    for owner, those in found.items():
        yield those[-1].at, owner, those[0].seq, those[-1].seq


def _rows(stream: str, owner: uuid.UUID, signal: uuid.UUID, events: Iterable[Logged]) -> Iterator[Row]:
    for it in events:
        yield owner, stream, it.seq, it.at, it.event.kind, signal, json_text(wire.encode(it.event))
