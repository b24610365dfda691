"""What the agents need from outside, as protocols: the store's transaction and the book of policies.

The store (models.store) and the tests' in-memory fake both satisfy them; a fake passes the same contract tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from models.deliveries import Provider
from models.heartbeats import Beat
from models.maintenance import MaintenanceWindow
from models.maintenance_events import Fired
from models.policy import Policy
from models.review import Review
from models.state import Incident
from models.step import State, Step
from models.surroundings import NOTHING_ASKED, Question, Surroundings

Wake = Callable[[Iterable[Provider]], None]
"""Says that something to deliver was committed. Only a hint: nothing depends on its being heard."""


class Loaded(Protocol[State]):
    """What a transaction begins with. `now` is the database's; `states` are locked, by key, latest generation only."""

    @property
    def now(self) -> datetime: ...
    @property
    def fresh(self) -> frozenset[uuid.UUID]:
        """Ids of the signals that were never handled before."""
        ...

    @property
    def states(self) -> dict[str, State]: ...
    @property
    def around(self) -> Surroundings:
        """The answer to what was asked; `note` keeps it true as the batch is decided."""
        ...


class Transaction(Protocol[State]):
    """One batch: inbox, states, log, ledger and deliveries, all or nothing."""

    async def begin(
        self, signals: Sequence[tuple[uuid.UUID, str, str]], question: Question = NOTHING_ASKED
    ) -> Loaded[State]:
        """Locks the states of the signals' keys in sorted order, and looks for each `(id, kind, key)` in the inbox."""
        ...

    async def numbers(self, count: int, now: datetime) -> list[str]:
        """Incident numbers, `INC-YYYY-MMDD-###`. POLICY 14. Taken after every other lock."""
        ...

    async def save(self, steps: Sequence[Step[State]]) -> frozenset[Provider]:
        """Notes the signals and writes the steps; the providers that have something to deliver now."""
        ...


class Store(Protocol):
    """Where incidents and reviews are kept."""

    def incidents(self) -> AbstractAsyncContextManager[Transaction[Incident]]:
        """A transaction over incidents; commits on leaving without an exception."""
        ...

    def reviews(self) -> AbstractAsyncContextManager[Transaction[Review]]:
        """The same over reviews."""
        ...


class Groups(Protocol):
    """Which incident keys have been told of alerts of which group."""

    async def remember_groups(self, told: Collection[tuple[str, str]]) -> None:
        """Notes pairs of group and incident key, durably. Done before the next batch is taken."""
        ...

    async def keys_of_groups(self, groups: Sequence[str]) -> Mapping[str, Iterable[str]]:
        """Every key that may still wait for alerts of a group, also where its incident has not been opened yet."""
        ...


class Beats(Protocol):
    """When senders were heard. A heartbeat opens no incident; its absence does: agents/heartbeats.py."""

    async def remember_beats(self, beats: Collection[Beat]) -> None:
        """Notes them, durably. Done before the next batch is taken."""
        ...


class MaintenanceTransaction(Transaction[MaintenanceWindow], Protocol):
    """The same over maintenance windows, keyed by their ids."""

    async def fired(self, window: MaintenanceWindow, now: datetime) -> Sequence[Fired]:
        """Incidents of its services that began, or whose page was held, since its start; oldest first."""
        ...


class MaintenanceStore(Protocol):
    """Where maintenance windows are kept."""

    def maintenance(self) -> AbstractAsyncContextManager[MaintenanceTransaction]:
        """A transaction over windows; commits on leaving without an exception."""
        ...

    async def held(self) -> Sequence[tuple[str, str, str]]:
        """Key, service and environment of every incident that has a page held."""
        ...


class PolicyBook(Protocol):
    """Policies by version: an incident keeps the one it was opened under."""

    async def of(self, version: str | None) -> Policy:
        """The policy of that version; the one in force for None and for a version that was never recorded."""
        ...
