"""Goes through the ledger and has every incident judged: all, for a person who asks, or what is recent, for the watch.

Owns what is looked at, in how large bites, and under which policy. Judges nothing itself; changes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agents.ports import PolicyBook
from models.findings import Case, Finding, Terms
from models.store.verification import FIRST, Evidence
from models.verification import OVERDUE_AFTER, astray_findings, verify

BITE: Final = 20
"""Incidents in memory at a time, with their whole logs."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and what was found."""

    now: datetime
    since: datetime
    incidents: int
    findings: tuple[Finding, ...]


def batched(ids: Sequence[uuid.UUID], size: int) -> Iterator[Sequence[uuid.UUID]]:
    """`ids` in bites, in order."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


@dataclass(slots=True)
class Examiner:
    """`keep` is for how long ended rows are kept: what is older than that cannot be proven any more."""

    evidence: Evidence
    policies: PolicyBook
    keep: timedelta
    _place: uuid.UUID = FIRST

    async def whole(self, within: timedelta) -> Verified:
        """Everything that changed within that time, and all that is open."""
        now = await self.evidence.now()
        seen = Verified(now, now - min(within, self.keep), 0, await self._astray(now))
        after: uuid.UUID | None = FIRST
        while after is not None:
            ids = await self.evidence.changed(seen.since, after, BITE)
            seen = await self._bite(seen, ids)
            after = ids[-1] if ids else None
        return seen

    async def lately(
        self, within: timedelta, most: int, suspects: Collection[uuid.UUID], breathe: Callable[[], Awaitable[None]]
    ) -> Verified:
        """The ledger's armed rows, the suspects, and about `most` incidents that changed within that time; where there
        are more, the next pass goes on behind them. What is over is told for as long only.
        """
        now = await self.evidence.now()
        seen = Verified(now, now - within, 0, await self._astray(now))
        for bite in batched(sorted(suspects), BITE):
            seen = await self._bite(seen, await self.evidence.those_lately(bite, seen.since))
            await breathe()
        for _ in range(max(1, most // BITE)):
            ids = await self.evidence.lately(seen.since, self._place, BITE)
            seen = await self._bite(seen, [one for one in ids if one not in suspects])
            self._place = ids[-1] if len(ids) == BITE else FIRST
            if self._place == FIRST:
                break
            await breathe()
        recent = (one for one in seen.findings if one.at is None or one.at >= seen.since)
        return replace(seen, findings=tuple(recent))

    async def _astray(self, now: datetime) -> tuple[Finding, ...]:
        return tuple(astray_findings(await self.evidence.astray(now - OVERDUE_AFTER), now))

    async def _bite(self, seen: Verified, ids: Sequence[uuid.UUID]) -> Verified:
        cases = await self.evidence.cases(ids) if ids else []
        now = await self.evidence.now() if cases else seen.now
        found: list[Finding] = []
        held = any(case.incident and case.incident.held_by for case in cases)
        windows = tuple(await self.evidence.windows()) if held else ()
        for case in cases:
            found += verify(case, replace(await self._terms(case, now), windows=windows))
            await asyncio.sleep(0)  # a long log is folded at one go; others may go first after it
        return replace(seen, incidents=seen.incidents + len(cases), findings=(*seen.findings, *found))

    async def _terms(self, case: Case, now: datetime) -> Terms:
        policy = await self.policies.of(case.incident.policy_version if case.incident else None)
        return Terms(policy, now, now - self.keep)
