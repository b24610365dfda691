"""The book of heartbeats in memory, for stories on a stepped clock. Satisfies the ports of triage and heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.heartbeats import Beat, Watched

BREAK = timedelta(seconds=45)


class MemoryHeartbeats:
    """`deaf` is true while no probe comes through."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.rows: dict[tuple[str, str], Watched] = {}
        self.deaf = False

    async def remember_beats(self, beats: Collection[Beat]) -> None:
        for beat in beats:
            place = beat.sender, beat.name
            known = self.rows.get(place) or self._new(*place)
            at = min(beat.at, self.now())
            self.rows[place] = (
                replace(known, resolved_at=max(known.resolved_at or at, at))
                if beat.resolved
                else replace(known, heard_at=max(known.heard_at or at, at))
            )

    def _new(self, sender: str, name: str) -> Watched:
        return Watched(sender=sender, name=name, awaited_since=self.now(), looked_at=self.now())

    async def look(self, awaited: Sequence[tuple[str, str]]) -> tuple[datetime, Sequence[Watched]]:
        now = self.now()
        for place in awaited:
            self.rows.setdefault(place, self._new(*place))
        if self.deaf:
            return now, []
        for place, one in self.rows.items():
            broken = one.looked_at is not None and one.looked_at < now - BREAK
            self.rows[place] = replace(one, looked_at=now, awaited_since=now if broken else one.awaited_since)
        return now, list(self.rows.values())

    async def found_missing(self, watched: Sequence[Watched], at: datetime) -> Sequence[Watched]:
        found = []
        for one in watched:
            known = self.rows[one.sender, one.name]
            if known.missing_at is None and known.heard_at == one.heard_at:
                self.rows[one.sender, one.name] = marked = replace(known, missing_at=at)
                found.append(marked)
        return found

    async def told(self, watched: Sequence[Watched]) -> None:
        self._change(watched, told_at=self.now())

    async def found_again(self, watched: Sequence[Watched]) -> None:
        self._change(watched, missing_at=None, told_at=None)

    async def forget(self, watched: Sequence[Watched]) -> None:
        for one in watched:
            del self.rows[one.sender, one.name]

    def _change(self, watched: Sequence[Watched], **fields: datetime | None) -> None:
        for one in watched:
            known = self.rows[one.sender, one.name]
            if known.missing_at == one.missing_at:
                self.rows[one.sender, one.name] = replace(known, **fields)  # type: ignore[arg-type]
