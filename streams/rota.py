"""Who is on call by a policy and its calendars, until when, who comes then, and when nobody is: what the command line
and the API tell alike. Asks no server of ours; how it is shown is theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from models.oncall.ical import ImportedCalendar
from models.oncall.schedule import gaps, next_handoff, on_call
from models.oncall.sections import OnCallSchedule
from models.oncall.spans import Span
from models.policy import Policy
from streams.calendars import Fetched

MOST_DAYS: Final = 366
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_STRANGERS: Final = timedelta(days=14)
ReadCalendars = Callable[[Policy], Awaitable[Mapping[str, Fetched]]]
"""The calendars of a policy's schedules, by schedule."""


class NotThere(LookupError):
    """The policy has no such team or schedule; the message says which it has."""


class Contradiction(ValueError):
    """What was asked for cannot be meant; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule with what its calendar gave."""

    name: str
    teams: tuple[str, ...]
    schedule: OnCallSchedule
    fetched: Fetched | None

    @property
    def calendar(self) -> ImportedCalendar | None:
        """What is known of it."""
        return self.fetched.calendar if self.fetched else None

    def strangers(self, at: datetime) -> list[str]:
        """Titles of coming events that name nobody in `people`."""
        return self.calendar.strangers(at, at + _STRANGERS) if self.calendar else []


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is on call by one schedule. `until` and `then` are None where nothing changes within a year."""

    plan: Plan
    people: tuple[str, ...]
    until: datetime | None
    then: tuple[str, ...] | None


async def plans(policy: Policy, read: ReadCalendars, team: str | None, schedule: str | None) -> list[Plan]:
    """The schedules that were asked for; all of them where none was named. Raises NotThere and Contradiction."""
    wanted = _wanted(policy, team, schedule)
    chosen = policy.model_copy(update={"schedules": {name: policy.schedules[name] for name in wanted}})
    fetched = await read(chosen)
    return [Plan(name, _teams(policy, name), policy.schedules[name], fetched.get(name)) for name in wanted]


def turn(plan: Plan, at: datetime) -> Turn:
    """Who has it at an instant."""
    handoff = next_handoff(plan.schedule, at, plan.calendar)
    people = on_call(plan.schedule, at, plan.calendar)
    if handoff is None:
        return Turn(plan, people, None, None)
    return Turn(plan, people, handoff.at, tuple(dict.fromkeys((*handoff.remaining, *handoff.coming))))


def uncovered(asked: Sequence[Plan], start: datetime, end: datetime) -> list[tuple[Plan, Span]]:
    """When nobody is on call."""
    return [(plan, gap) for plan in asked for gap in gaps(plan.schedule, start, end, plan.calendar)]


def instant_of(at: datetime) -> datetime:
    """In UTC, which it is taken for without an offset. Raises Contradiction beyond what schedules can answer."""
    try:
        told = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        told = _LATEST
    if not _EARLIEST <= told < _LATEST:
        raise Contradiction(f"{at.isoformat()} is not between {_EARLIEST:%Y} and {_LATEST:%Y}")
    return told


def _wanted(policy: Policy, team: str | None, schedule: str | None) -> list[str]:
    if team is not None:
        known = policy.teams.get(team)
        if known is None:
            raise NotThere(f"the policy has no team {team!r}; it has: {_listed(policy.teams)}")
        if known.schedule is None:
            raise NotThere(f"the team {team!r} has no schedule; name one in the policy")
        if schedule not in {None, known.schedule}:
            raise Contradiction(f"{schedule!r} is not the schedule of {team!r}; give the team or the schedule")
        schedule = known.schedule
    if schedule is None:
        return list(policy.schedules)
    if schedule not in policy.schedules:
        raise NotThere(f"the policy has no schedule {schedule!r}; it has: {_listed(policy.schedules)}")
    return [schedule]


def _teams(policy: Policy, schedule: str) -> tuple[str, ...]:
    return tuple(name for name, team in policy.teams.items() if team.schedule == schedule)


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "none"
