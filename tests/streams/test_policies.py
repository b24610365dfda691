"""The book of policies: what older incidents were opened under, and what happens when that cannot be read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from models.oncall.schedule import on_call
from models.policy import Policy
from models.policy_file import parse_policy, policy_version, shipped_policy
from streams.calendars import Calendars, Unfetched
from streams.policies import Policies
from streams.settings import PolicyInForce

TEXT = shipped_policy("default")
OLDER = TEXT.replace("stale_after: 24h", "stale_after: 12h")
IN_FORCE = PolicyInForce(parse_policy(TEXT, "default.yaml"), policy_version(TEXT), TEXT)
KEPT_ELSEWHERE = "people: {ana: {}, ben: {}}\nschedules:\n  web: {zone: Europe/Berlin, ical: TOCSIN_CALENDAR}"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Calendar:
    """A calendar elsewhere that puts one person on call; away while it names nobody."""

    person = "ana"

    async def fetch(self) -> str:
        if not self.person:
            raise Unfetched("away")
        times = "DTSTART:20260302T080000Z\r\nDTEND:20260303T080000Z"
        event = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{self.person}\r\n{times}\r\nEND:VEVENT"
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}\r\nEND:VCALENDAR\r\n"


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


async def test_the_calendars_come_with_the_policies_and_the_last_good_copy_holds(tmp_path: Path) -> None:
    text = TEXT.replace("people: {}", KEPT_ELSEWHERE)
    in_force = PolicyInForce(parse_policy(text, "mine.yaml"), policy_version(text), text)
    source, stop = Calendar(), asyncio.Event()
    stop.set()

    async def text_of(_: str) -> str | None:
        return text + "\n"

    def calendars(policy: Policy) -> Calendars:
        return Calendars(policy, {"TOCSIN_CALENDAR": source}, tmp_path, lambda: NOON)

    policies = Policies(in_force, text_of, calendars)
    await policies.open_calendars()
    assert await _on_call(policies, None) == ("ana",)
    assert await _on_call(policies, "older") == ("ana",), "until its own are looked at"
    source.person = "ben"
    await policies.follow_calendars(stop)
    assert (await _on_call(policies, None), await _on_call(policies, "older")) == (("ben",), ("ben",))
    source.person = ""
    await policies.follow_calendars(stop)
    assert await _on_call(policies, None) == ("ben",), "the last good copy"


async def _on_call(policies: Policies, version: str | None) -> tuple[str, ...]:
    policy = await policies.of(version)
    return on_call(policy.schedules["web"], NOON, policy.imported.get("web"))
