"""The book of policies: the one in force, and those that older incidents were opened under.

Each comes with what the calendars say that its schedules are kept in. They are read beside, never while somebody waits
for a decision: docs/decisions/0028.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from models.oncall.schedule import Imported
from models.policy import Policy
from models.policy_file import PolicyError, parse_policy
from streams.calendars import Calendars, Fetched
from streams.loops import nap
from streams.settings import PolicyInForce

log = logging.getLogger(__name__)

PolicyText = Callable[[str], Awaitable[str | None]]
"""The YAML text of a version, if it was ever recorded."""
CalendarsOf = Callable[[Policy], Calendars]
CALENDARS_EVERY: Final = 300.0
"""Seconds between two looks at the calendars that schedules are kept in."""


class Policies:
    """Satisfies agents.ports.PolicyBook. Versions are hashes of their text, so what was read once never changes.
    Without `calendars_of` no calendar is read: for a process that pages nobody.
    """

    def __init__(self, in_force: PolicyInForce, text_of: PolicyText, calendars_of: CalendarsOf | None = None) -> None:
        self._in_force = in_force
        self._text_of = text_of
        self._calendars_of = calendars_of
        self._known: dict[str, Policy] = {in_force.version: in_force.policy}
        self._said: dict[str, str] = {}

    async def of(self, version: str | None) -> Policy:
        """The policy of that version; the one in force for None, for a version that nobody has recorded (yet), and for
        one that this version of Tocsin cannot read any more: its incidents must go on.
        """
        if version is None:
            return self._present
        if version not in self._known:
            text = await self._text_of(version)
            if text is None:
                return self._present
            # Until its own calendars are looked at, those of the policy in force.
            self._known[version] = self._read(version, text).with_calendars(self._present.imported)
        return self._known[version]

    async def open_calendars(self) -> None:
        """The calendars of the policy in force from their last good copies: a worker that starts asks nobody first."""
        if self._calendars_of is not None:
            found = await self._calendars_of(self._present).at_hand()
            self._known[self._in_force.version] = self._present.with_calendars(self._told(found))

    async def follow_calendars(self, stop: asyncio.Event) -> None:
        """One look at the calendars of every policy in use, and a pause."""
        if self._calendars_of is not None:
            for version, policy in list(self._known.items()):
                found = await self._calendars_of(policy).read()
                self._known[version] = policy.with_calendars(self._told(found))
        await nap(stop, CALENDARS_EVERY)

    @property
    def _present(self) -> Policy:
        return self._known[self._in_force.version]

    def _told(self, found: Mapping[str, Fetched]) -> dict[str, Imported]:
        """Those that could be read; what is wrong is said once."""
        for name, one in found.items():
            if one.fault and self._said.get(name) != one.fault:
                log.warning("schedule %s: %s", name, one.fault)
            self._said[name] = one.fault or ""
        return {name: one.calendar for name, one in found.items() if one.calendar}

    def _read(self, version: str, text: str) -> Policy:
        try:
            return parse_policy(text, f"policy {version}")
        except PolicyError as error:
            log.warning("the one in force stands in for it: %s", error)
            return self._present
