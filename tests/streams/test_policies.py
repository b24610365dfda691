"""The book of policies: what older incidents were opened under, and what happens when that cannot be read."""

from __future__ import annotations

from models.policy_file import parse_policy, policy_version, shipped_policy
from streams.policies import Policies
from streams.settings import PolicyInForce

TEXT = shipped_policy("default")
OLDER = TEXT.replace("stale_after: 24h", "stale_after: 12h")
IN_FORCE = PolicyInForce(parse_policy(TEXT, "default.yaml"), policy_version(TEXT), TEXT)


def book(recorded: dict[str, str]) -> Policies:
    async def text_of(version: str) -> str | None:
        return recorded.get(version)

    return Policies(IN_FORCE, text_of)


async def test_an_older_incident_keeps_its_policy() -> None:
    found = await book({"older": OLDER}).of("older")
    assert found.stale_after < IN_FORCE.policy.stale_after


async def test_a_version_that_is_recorded_only_later_is_taken_then() -> None:
    recorded: dict[str, str] = {}
    policies = book(recorded)
    assert await policies.of("older") == IN_FORCE.policy
    recorded["older"] = OLDER
    assert await policies.of("older") != IN_FORCE.policy


async def test_a_policy_that_this_version_cannot_read_any_more_does_not_strand_its_incidents() -> None:
    policies = book({"ancient": TEXT + "\nnobody_knows_this_key_any_more: 1\n"})
    assert await policies.of("ancient") == IN_FORCE.policy
