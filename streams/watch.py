"""The watch over our own promises: `tocsin verify` of what is recent, every minute, for as long as Tocsin runs.

What it finds twice in a row is no longer in progress. Then it is logged, counted for /metrics, told by the second way
(the watchdog outside is no longer called), and an incident about Tocsin itself is opened, one per kind of finding. See
docs/decisions/0026.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from models.findings import Finding, FindingKind
from models.ourselves import Trouble, reported
from models.records import Outgoing, Publish
from models.signals import encode_signal
from streams import topics
from streams.clock import Clock
from streams.heartbeat import PathBroken
from streams.loops import nap
from streams.settings import PolicyInForce
from streams.verify import Examiner

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 60.0
SETTLE: Final = 10.0
"""Seconds before a look: what has just started, or lost its database, is not judged in its first instant."""
RECENT: Final = timedelta(minutes=15)
"""What has not changed for that long was looked at while it did; and for so long the watchdog stays uncalled."""
MOST: Final = 1000
"""Incidents in one look. In a storm it takes several to go round."""
BREATHE: Final = 0.1
"""Seconds between two bites: whoever has to be woken goes first."""
LOGGED: Final = 20
"""Lines of one look."""
_KEY: Final = "tocsin/verify"


@dataclass(slots=True)
class Watch:
    """One process's watch. Several watch the same and tell of the same incident."""

    examiner: Examiner
    publish: Publish
    policy: PolicyInForce
    clock: Clock
    stop: asyncio.Event
    findings: tuple[Finding, ...] | None = None
    """Found twice in a row; None before the first look."""
    _suspected: frozenset[tuple[object, ...]] = frozenset()
    _suspects: frozenset[uuid.UUID] = frozenset()
    _told: set[FindingKind] = field(default_factory=set)

    async def keep(self) -> None:
        """Looks, and waits until it is time again. Raises the environment's errors; then it looks again soon."""
        await nap(self.stop, SETTLE)
        if not self.stop.is_set():
            await self.look()
            await nap(self.stop, LOOK_EVERY - SETTLE)

    async def look(self) -> None:
        """One look at what is recent."""
        seen = await self.examiner.lately(RECENT, MOST, self._suspects, lambda: nap(self.stop, BREATHE))
        confirmed = tuple(one for one in seen.findings if _identity(one) in self._suspected)
        self._suspected = frozenset(_identity(one) for one in seen.findings)
        suspects = [one.incident_id for one in seen.findings if one.incident_id is not None]
        self._suspects = frozenset(suspects[:MOST])
        self._log(confirmed)
        self.findings = confirmed
        await self._tell(confirmed)

    def count(self) -> int | None:
        """For /metrics."""
        return None if self.findings is None else len(self.findings)

    def guarding(self, call: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """`call`, while nothing is found; else PathBroken."""

        async def guarded() -> None:
            if self.findings:
                first = self.findings[0]
                raise PathBroken(
                    f"{len(self.findings)} findings of `tocsin verify`, such as {first.kind}: {_line(first)}"
                )
            await call()

        return guarded

    def _log(self, confirmed: Sequence[Finding]) -> None:
        known = {_identity(one) for one in self.findings or ()}
        news = [one for one in confirmed if _identity(one) not in known]
        for one in news[:LOGGED]:
            log.error("verify: %s; %s", _line(one), one.remedy)
        if len(news) > LOGGED:
            log.error("verify: %d more such findings; see `tocsin verify --since 1h`", len(news) - LOGGED)
        if known and not confirmed:
            log.info("verify: nothing is found any more")

    async def _tell(self, confirmed: Sequence[Finding]) -> None:
        """An incident per kind, told once for as long as the kind is found."""
        kinds = {one.kind: one for one in reversed(confirmed)}
        news = [one for kind, one in kinds.items() if kind not in self._told]
        if news:
            await self.publish([self._trouble(one) for one in news])
        self._told = set(kinds)

    def _trouble(self, one: Finding) -> Outgoing:
        trouble = Trouble(
            key=f"{_KEY}/{one.kind}",
            labels={"alertname": "TocsinVerify", "finding": one.kind.value},
            annotations={"description": _line(one)},
            title=f"Tocsin broke a promise: {one.kind.replace('-', ' ')}",
            summary=f"{_line(one)}. What to do: {one.remedy}. All findings: `tocsin verify --since 1h`.",
            why="a page or a deadline may be lost, and it could be any: SEV2",
        )
        signal = reported(trouble, uuid.uuid4(), self.clock(), self.policy.policy, self.policy.version)
        return Outgoing(topics.SIGNALS, signal.key.encode(), encode_signal(signal))


def _identity(one: Finding) -> tuple[object, ...]:
    """What is the same from one look to the next; a message may count seconds."""
    return one.kind, one.incident_id, one.evidence.get("deadline"), one.evidence.get("delivery")


def _line(one: Finding) -> str:
    return f"{one.number or 'no incident'}: {one.message}"
