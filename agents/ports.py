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
        """Notes `(id, kind, key)` of every signal in the inbox and locks their keys' states in sorted order."""
        ...

    async def numbers(self, count: int, now: datetime) -> list[str]:
        """Incident numbers, `INC-YYYY-MMDD-###`. POLICY 14. Taken after every other lock."""
        ...

    async def save(self, steps: Sequence[Step[State]]) -> frozenset[Provider]:
        """Writes the steps; the providers that have something to deliver now."""
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


class PolicyBook(Protocol):
    """Policies by version: an incident keeps the one it was opened under."""

    async def of(self, version: str | None) -> Policy:
        """The policy of that version; the one in force for None and for a version that was never recorded."""
        ...
