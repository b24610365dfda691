"""The one transaction: inbox, states, log, ledger and outbox of a batch of signals, all or nothing, in three trips.

    begin    locks the states of the signals' keys in order; what it finds in the inbox is not fresh
    numbers  incident numbers of today
    save     notes the fresh ones in the inbox and writes what followed; without a fence, leaving waits for it all

Locks are taken in one order by everybody: states by key, the number's counter, inbox by signal id, then outbox and
ledger, whose rows others hold only for a moment. A worker that lost its partition while it was away meets a lock, a
footprint in the inbox or the fence on `seq`: Conflict, and nothing written.
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, cast

from models.deliveries import Provider
from models.maintenance import MaintenanceWindow
from models.maintenance_events import Fired
from models.records import Unreadable
from models.review import Review
from models.state import Incident
from models.step import State, Step
from models.store import ledger_writes, maintenance, neighbours, outbox_writes, state_writes
from models.store.codec import INCIDENT, REVIEW, WINDOW, clean, indexed
from models.store.connection import Session
from models.store.errors import Conflict
from models.store.statements import AnyStep, Row, Rows
from models.surroundings import NOTHING_ASKED, Question, Surroundings

_INBOX = Rows({"signal_id": "uuid", "kind": "text", "key": "text", "at": "timestamptz", "changed": "bool"})
_NOTE = _INBOX.insert("inbox")
_NUMBERS = """
INSERT INTO number_counter (day, last) VALUES (%s, %s)
ON CONFLICT (day) DO UPDATE SET last = number_counter.last + excluded.last RETURNING last
"""
_SEEN = "SELECT signal_id FROM inbox WHERE signal_id = ANY(%s::uuid[])"

# LATERAL, so that the rows are locked one by one in the order of the keys.
_LOCK_INCIDENTS = """
SELECT k.key, i.id, i.state::text FROM unnest(%s::text[]) WITH ORDINALITY AS k(key, place)
CROSS JOIN LATERAL (
    SELECT id, state FROM incident WHERE key = k.key ORDER BY generation DESC LIMIT 1 FOR UPDATE
) i
"""
_LATEST_INCIDENTS = """
SELECT i.id FROM unnest(%s::text[]) AS k(key)
CROSS JOIN LATERAL (SELECT id FROM incident WHERE key = k.key ORDER BY generation DESC LIMIT 1) i
"""
_LOCK_REVIEWS = """
SELECT k.id, r.incident_id, r.state::text FROM unnest(%s::uuid[]) AS k(id)
CROSS JOIN LATERAL (SELECT incident_id, state FROM review WHERE incident_id = k.id FOR UPDATE) r
"""
_LATEST_REVIEWS = "SELECT incident_id FROM review WHERE incident_id = ANY(%s::uuid[])"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[State]):
    """What a transaction begins with; see agents/ports.py."""

    now: datetime
    fresh: frozenset[uuid.UUID]
    states: dict[str, State]
    around: Surroundings


class Transaction(Generic[State]):
    """Over one stream. Made by the store; leaving the store's context commits."""

    _lock: str
    _latest: str
    _windows: str | None = None
    """What finds the maintenance that matters now; None for a stream whose decisions it does not touch."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._now: datetime | None = None
        self._fresh: dict[uuid.UUID, tuple[str, str]] = {}
        """Kind and key of the signals that are not in the inbox yet."""

    async def begin(
        self, signals: Sequence[tuple[uuid.UUID, str, str]], question: Question = NOTHING_ASKED
    ) -> Loaded[State]:
        """Locks the latest state of every key, looks for every signal, `(id, kind, key)`, in the inbox, and answers
        `question`. Raises Conflict, and Unreadable for a batch that has to be split.
        """
        told = {signal_id: (clean(kind), clean(key)) for signal_id, kind, key in signals}
        places = {key: place for _, _, key in signals if (place := self._place(key)) is not None}
        sought = sorted(set(places.values()))
        if len(sought) < len(places):
            raise Unreadable("two spellings of one key in one batch: each can only be handled by itself")
        locked = await self._session.execute(self._lock, (sought,))
        # In a statement of its own: it sees what was committed while the locks were waited for.
        look = f"SELECT clock_timestamp(), ARRAY({_SEEN}), ARRAY({self._latest})"
        looked = await self._session.execute(look, (list(told), sought))
        asked = await neighbours.ask(self._session, question) if question else None
        windows = await self._session.execute(self._windows) if self._windows else None
        await self._session.settle()
        found = {place: (owner_id, state) for place, owner_id, state in await locked.fetchall()}
        [(self._now, seen, latest)] = await looked.fetchall()
        if {owner_id for owner_id, _ in found.values()} != set(latest):
            raise Conflict("another worker opened an incident of the same key meanwhile")
        states = {key: self._read(found[place][1]) for key, place in places.items() if place in found}
        self._fresh = {signal_id: told[signal_id] for signal_id in told.keys() - set(seen)}
        around = await asked.answer() if asked else Surroundings()
        if windows is not None:
            around.windows = tuple(WINDOW.validate_json(state) for (state,) in await windows.fetchall())
        return Loaded(cast("datetime", self._now), frozenset(self._fresh), states, around)

    async def numbers(self, count: int, now: datetime) -> list[str]:
        """`INC-YYYY-MMDD-###`: unique, counted per UTC day, a digit more past 999. POLICY 14."""
        day = now.astimezone(UTC).date()
        counted = await self._session.execute(_NUMBERS, (day, count))
        await self._session.settle()
        [(last,)] = await counted.fetchall()
        return [f"INC-{day:%Y-%m%d}-{number:03d}" for number in range(last - count + 1, last + 1)]

    async def save(self, steps: Sequence[Step[State]]) -> frozenset[Provider]:
        """Writes the steps of the batch, in order. The providers that have something to deliver now. Raises
        Conflict.
        """
        now = self._now
        if now is None:
            raise AssertionError("save before begin")
        taken = cast("Sequence[AnyStep]", steps)
        changes = state_writes.write(taken)
        deliveries, providers = outbox_writes.write(taken, now)
        if self._fresh:
            await self._session.execute(_NOTE, Rows.arrays(self._footprints(changes.at, now)))
        fenced = await self._session.execute(*changes.fence) if changes.fence else None
        for statement in changes.rest + ledger_writes.write(taken, now) + deliveries:
            await self._session.execute(*statement)
        if fenced is None:
            await self._session.flush()
            return providers
        await self._session.settle()
        if fenced.rowcount != changes.expected:
            raise Conflict("another worker has changed the same incident meanwhile")
        return providers

    def _footprints(self, changed: Mapping[uuid.UUID, datetime], now: datetime) -> Iterator[Row]:
        for signal_id, (kind, key) in sorted(self._fresh.items()):
            yield (signal_id, kind, key, changed.get(signal_id, now), signal_id in changed)

    @abstractmethod
    def _place(self, key: str) -> Any:
        """What the state of a signal's key is found by; None when it can have none."""

    @abstractmethod
    def _read(self, state: str) -> State: ...


class IncidentTransaction(Transaction[Incident]):
    """Keyed by incident key; the latest generation counts."""

    _lock, _latest, _windows = _LOCK_INCIDENTS, _LATEST_INCIDENTS, maintenance.AROUND

    def _place(self, key: str) -> str:
        return indexed(key)

    def _read(self, state: str) -> Incident:
        return INCIDENT.validate_json(state)


class ReviewTransaction(Transaction[Review]):
    """Keyed by the incident's id."""

    _lock, _latest = _LOCK_REVIEWS, _LATEST_REVIEWS

    def _place(self, key: str) -> uuid.UUID | None:
        return _uuid(key)

    def _read(self, state: str) -> Review:
        return REVIEW.validate_json(state)


class MaintenanceTransaction(Transaction[MaintenanceWindow]):
    """Keyed by the window's id."""

    _lock, _latest = maintenance.LOCK, maintenance.LATEST

    async def fired(self, window: MaintenanceWindow, now: datetime) -> list[Fired]:
        """Incidents of its services that began, or whose page was held, since its start; oldest first."""
        found = await self._session.execute(maintenance.FIRED, (window.starts_at, now))
        await self._session.settle()
        return maintenance.fired(await found.fetchall(), window)

    def _place(self, key: str) -> uuid.UUID | None:
        return _uuid(key)

    def _read(self, state: str) -> MaintenanceWindow:
        return WINDOW.validate_json(state)


def _uuid(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key)
    except ValueError:
        return None
