"""The book of policies: the one in force, and those that older incidents were opened under."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from models.policy import Policy
from models.policy_file import parse_policy
from streams.settings import PolicyInForce

PolicyText = Callable[[str], Awaitable[str | None]]
"""The YAML text of a version, if it was ever recorded."""


class Policies:
    """Satisfies agents.ports.PolicyBook. Versions are hashes of their text, so what was read once never changes."""

    def __init__(self, in_force: PolicyInForce, text_of: PolicyText) -> None:
        self._in_force = in_force
        self._text_of = text_of
        self._known: dict[str, Policy] = {in_force.version: in_force.policy}

    async def of(self, version: str | None) -> Policy:
        """The policy of that version; the one in force for None and for a version that was never recorded."""
        if version is None:
            return self._in_force.policy
        if version not in self._known:
            text = await self._text_of(version)
            self._known[version] = parse_policy(text, f"policy {version}") if text else self._in_force.policy
        return self._known[version]
