"""Finds senders whose heartbeat is missing, and those that are heard again, and tells the lifecycle. Never notes a beat
(agents/triage.py) and never opens an incident itself.

A silence is marked before it is told, and what was not marked as told is told again under the same id: a crash in
between costs a repetition that the inbox drops. While the path from the receiver to the ledger is not proven to work
nothing is judged, because the silence may be ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from models.heartbeats import Watched, ending, expected, judged, silence
from models.policy import Policy
from models.records import Outgoing, Publish
from models.signals import AlertsReported, encode_signal


class Book(Protocol):
    """What is known of every sender's heartbeats. Any number of workers may look at once."""

    async def look(self, awaited: Sequence[tuple[str, str]]) -> tuple[datetime, Sequence[Watched]]:
        """The database's time and all that are watched, `awaited` ones from now on; none while we are deaf."""
        ...

    async def found_missing(self, watched: Sequence[Watched], at: datetime) -> Sequence[Watched]:
        """Marks those that have not been heard since; as they stand then."""
        ...

    async def told(self, watched: Sequence[Watched]) -> None:
        """Their silence is known to the lifecycle."""
        ...

    async def found_again(self, watched: Sequence[Watched]) -> None:
        """Their silence is over."""
        ...

    async def forget(self, watched: Sequence[Watched]) -> None:
        """The policy no longer waits for them."""
        ...


@dataclass(frozen=True, slots=True)
class HeartbeatPorts:
    """What the look needs from outside."""

    book: Book
    publish: Publish
    policy: Policy
    policy_version: str
    signals_topic: str


async def look(ports: HeartbeatPorts) -> None:
    """One look at all of them."""
    now, watched = await ports.book.look(expected(ports.policy))
    verdicts = [(one, judged(one, ports.policy, now)) for one in watched]
    gone = [one for one, verdict in verdicts if verdict == "forgotten"]
    back = [one for one, verdict in verdicts if verdict == "back"]
    missing = [one for one, verdict in verdicts if verdict == "missing"]
    untold = [one for one, verdict in verdicts if verdict == "to be told"]
    if over := [one for one in (*gone, *back) if one.missing_at is not None]:
        await _publish([ending(one, now, ports.policy, ports.policy_version) for one in over], ports)
    if back:
        await ports.book.found_again(back)
    if gone:
        await ports.book.forget(gone)
    if missing:
        untold += await ports.book.found_missing(missing, now)
    if untold:
        await _publish([silence(one, ports.policy, ports.policy_version) for one in untold], ports)
        await ports.book.told(untold)


async def _publish(signals: Sequence[AlertsReported], ports: HeartbeatPorts) -> None:
    await ports.publish([Outgoing(ports.signals_topic, one.key.encode(), encode_signal(one)) for one in signals])
