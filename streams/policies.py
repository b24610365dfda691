"""The book of policies: the one in force, and those that older incidents were opened under."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from models.policy import Policy
from models.policy_file import PolicyError, parse_policy
from streams.settings import PolicyInForce

log = logging.getLogger(__name__)

PolicyText = Callable[[str], Awaitable[str | None]]
"""The YAML text of a version, if it was ever recorded."""


class Policies:
    """Satisfies agents.ports.PolicyBook. Versions are hashes of their text, so what was read once never changes."""

    def __init__(self, in_force: PolicyInForce, text_of: PolicyText) -> None:
        self._in_force = in_force
        self._text_of = text_of
        self._known: dict[str, Policy] = {in_force.version: in_force.policy}

    async def of(self, version: str | None) -> Policy:
        """The policy of that version; the one in force for None, for a version that nobody has recorded (yet), and for
        one that this version of Tocsin cannot read any more: its incidents must go on.
        """
        if version is None:
            return self._in_force.policy
        if version not in self._known:
            text = await self._text_of(version)
            if text is None:
                return self._in_force.policy
            self._known[version] = self._read(version, text)
        return self._known[version]

    def _read(self, version: str, text: str) -> Policy:
        try:
            return parse_policy(text, f"policy {version}")
        except PolicyError as error:
            log.warning("the one in force stands in for it: %s", error)
            return self._in_force.policy
