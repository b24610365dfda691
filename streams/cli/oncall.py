"""`tocsin oncall`: who is on call by the policy in force, until when, who comes then; and when nobody is.

Reads the policy and its calendars, asks no server. Times are those of the schedule's zone, with UTC beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from models.oncall.ical import ImportedCalendar
from models.oncall.schedule import Handoff, gaps, next_handoff, on_call
from models.oncall.sections import OnCallSchedule
from models.oncall.spans import Span
from models.policy import Policy
from models.severity import describe
from streams.calendars import Fetched, calendars_at
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.output import AsJson, complain, instant, relative, say_json, say_table
from streams.clock import utc_now
from streams.settings import policy_in_force, read_settings

_NO_SCHEDULES = "The policy has no schedules (docs/oncall.md shows how to write one); escalation goes by its levels."
_STRANGERS = timedelta(days=14)

Team = Annotated[str | None, typer.Option("--team", help="Only this team's schedule.")]
ScheduleName = Annotated[str | None, typer.Option("--schedule", help="Only this schedule.")]


class _Shown(Defaulting):
    default = "show"


oncall = typer.Typer(cls=_Shown, help="Says who is on call.")


@oncall.callback()
def _group() -> None:
    """Says who is on call."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """One schedule with what its calendar gave."""

    name: str
    teams: tuple[str, ...]
    schedule: OnCallSchedule
    calendar: ImportedCalendar | None


@oncall.command()
def show(
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Then, not now: 2026-03-29T09:00+02:00; UTC if no offset."),
    ] = None,
    team: Team = None,
    schedule: ScheduleName = None,
    as_json: AsJson = False,
) -> None:
    """Who is on call, until when, and who comes then."""
    then = _instant(at) if at else utc_now()
    answers = [
        (plan, on_call(plan.schedule, then, plan.calendar), next_handoff(plan.schedule, then, plan.calendar))
        for plan in _plans(team, schedule, then)
    ]
    if as_json:
        say_json({"at": then.isoformat(), "schedules": [_json(*answer) for answer in answers]})
        return
    rows = [_row(*answer) for answer in answers]
    say_table(("schedule", "team", "on call", "until", "then"), rows, _NO_SCHEDULES, whole=True)


@oncall.command("gaps")
def show_gaps(
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far to look ahead.")] = 30,
    at: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From then on, not from now.")] = None,
    team: Team = None,
    schedule: ScheduleName = None,
    as_json: AsJson = False,
) -> None:
    """When nobody is on call. Ends with 1 where that ever is."""
    start = _instant(at) if at else utc_now().replace(microsecond=0)
    end = start + timedelta(days=days)
    plans = _plans(team, schedule, start)
    found = [(plan, gap) for plan in plans for gap in gaps(plan.schedule, start, end, plan.calendar)]
    if as_json:
        rows = [{"schedule": plan.name, "from": gap.start, "to": gap.end} for plan, gap in found]
        say_json({"from": start, "to": end, "gaps": rows})
    else:
        empty = f"Somebody is on call at all times until {instant(end)}." if plans else _NO_SCHEDULES
        say_table(("schedule", "from", "to", "for"), [_gap(plan, gap) for plan, gap in found], empty, whole=True)
    if found:
        raise typer.Exit(Code.REFUSED)


def _plans(team: str | None, schedule: str | None, at: datetime) -> list[_Plan]:
    settings = read_settings()
    policy = policy_in_force(settings).policy
    wanted = _wanted(policy, team, schedule)
    chosen = policy.model_copy(update={"schedules": {name: policy.schedules[name] for name in wanted}})
    fetched = asyncio.run(calendars_at(settings, chosen, utc_now).read())
    for name, one in fetched.items():
        _warn(name, one, at)
    return [
        _Plan(name, _teams(policy, name), policy.schedules[name], fetched[name].calendar if name in fetched else None)
        for name in wanted
    ]


def _wanted(policy: Policy, team: str | None, schedule: str | None) -> list[str]:
    """The schedules that were asked for. Raises Fault for what the policy does not have."""
    if team is not None:
        known = policy.teams.get(team)
        if known is None:
            raise Fault(f"the policy has no team {team!r}; it has: {_listed(policy.teams)}", Code.NOT_FOUND)
        if known.schedule is None:
            raise Fault(f"the team {team!r} has no schedule; name one in the policy", Code.NOT_FOUND)
        if schedule not in {None, known.schedule}:
            raise Fault(f"{schedule!r} is not the schedule of {team!r}; give --team or --schedule", Code.USAGE)
        schedule = known.schedule
    if schedule is None:
        return list(policy.schedules)
    if schedule not in policy.schedules:
        raise Fault(f"the policy has no schedule {schedule!r}; it has: {_listed(policy.schedules)}", Code.NOT_FOUND)
    return [schedule]


def _warn(name: str, fetched: Fetched, at: datetime) -> None:
    if fetched.fault:
        copy = f"; going by the copy that was fetched {relative(fetched.fetched_at)}" if fetched.calendar else ""
        complain(f"schedule {name}: {fetched.fault}{copy}")
    strangers = fetched.calendar.strangers(at, at + _STRANGERS) if fetched.calendar else []
    if strangers:
        titles = ", ".join(repr(title) for title in strangers[:5])
        complain(f"schedule {name}: its calendar has events that name nobody in people: {titles}")


def _row(plan: _Plan, people: tuple[str, ...], handoff: Handoff | None) -> tuple[str, ...]:
    then = tuple(dict.fromkeys((*handoff.remaining, *handoff.coming))) if handoff else ()
    until = _local(handoff.at, plan.schedule.zone) if handoff else "-"
    return plan.name, ", ".join(plan.teams) or "-", _names(people), until, _names(then) if handoff else "-"


def _json(plan: _Plan, people: tuple[str, ...], handoff: Handoff | None) -> dict[str, Any]:
    return {
        "schedule": plan.name,
        "teams": plan.teams,
        "zone": plan.schedule.zone,
        "people": people,
        "until": handoff.at.isoformat() if handoff else None,
        "then": (*handoff.remaining, *handoff.coming) if handoff else None,
    }


def _gap(plan: _Plan, gap: Span) -> tuple[str, ...]:
    zone = plan.schedule.zone
    return plan.name, _local(gap.start, zone), _local(gap.end, zone), describe(gap.end - gap.start)


def _local(at: datetime, zone: str) -> str:
    """`Mon 2026-03-30 09:00 CEST (07:00 UTC)`, with the day in UTC where that is another."""
    there, utc = at.astimezone(ZoneInfo(zone)), at.astimezone(UTC)
    beside = f"{utc:%H:%M}" if utc.date() == there.date() else f"{utc:%a %H:%M}"
    return f"{there:%a %Y-%m-%d %H:%M %Z} ({beside} UTC)"


def _names(people: tuple[str, ...]) -> str:
    return ", ".join(people) or "nobody"


def _teams(policy: Policy, schedule: str) -> tuple[str, ...]:
    return tuple(name for name, team in policy.teams.items() if team.schedule == schedule)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault(f"{text!r} is not a time; write it as 2026-03-29T09:00+02:00", Code.USAGE) from None


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(oncall, name="oncall")
