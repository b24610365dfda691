"""What crosses a topic: records in, records out. Owns no meaning; bytes are decoded by the agent that reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the broker delivered it. `(topic, partition, offset)` is its identity within the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be written. Records with equal `topic` and `key` keep their order."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


class Unreadable(ValueError):
    """This record can never be handled; the message is the reason that people will read in the dead letters."""


Agent = Callable[[Sequence[Record]], Awaitable[None]]
"""One batch in log order per partition; returns once everything that follows from it is durable.

Raises `Unreadable` for a record that can never be handled, and the environment's own errors (a database or broker out
of reach) for a batch worth trying again.
"""

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]
"""Writes records in order; returns once the broker has acknowledged every one (acks=all). Raises what it said."""
