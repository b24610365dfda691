"""`tocsin oncall`: who is on call by the policy in force, until when, who comes then; and when nobody is.

Reads the policy and its calendars, asks no server. Times are those of the schedule's zone, with UTC beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from models.oncall.spans import Span
from models.policy import Policy
from models.severity import describe
from streams import rota
from streams.calendars import Fetched, calendars_at
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.output import AsJson, complain, instant, relative, say_json, say_table
from streams.clock import utc_now
from streams.rota import Contradiction, NotThere, Plan, Turn
from streams.settings import Settings, policy_in_force, read_settings

_NO_SCHEDULES = "The policy has no schedules (docs/oncall.md shows how to write one); escalation goes by its levels."

Team = Annotated[str | None, typer.Option("--team", help="Only this team's schedule.")]
ScheduleName = Annotated[str | None, typer.Option("--schedule", help="Only this schedule.")]


class _Shown(Defaulting):
    default = "show"


oncall = typer.Typer(cls=_Shown, help="Says who is on call.")


@oncall.callback()
def _group() -> None:
    """Says who is on call."""


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
    turns = [rota.turn(plan, then) for plan in _plans(team, schedule, then)]
    if as_json:
        say_json({"at": then.isoformat(), "schedules": [_json(turn) for turn in turns]})
        return
    rows = [_row(turn) for turn in turns]
    say_table(("schedule", "team", "on call", "until", "then"), rows, _NO_SCHEDULES, whole=True)


@oncall.command("gaps")
def show_gaps(
    *,
    days: Annotated[int, typer.Option(min=1, max=rota.MOST_DAYS, help="How far to look ahead.")] = 30,
    at: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From then on, not from now.")] = None,
    team: Team = None,
    schedule: ScheduleName = None,
    as_json: AsJson = False,
) -> None:
    """When nobody is on call. Ends with 1 where that ever is."""
    start = _instant(at) if at else utc_now().replace(microsecond=0)
    end = start + timedelta(days=days)
    plans = _plans(team, schedule, start)
    found = rota.uncovered(plans, start, end)
    if as_json:
        rows = [{"schedule": plan.name, "from": gap.start, "to": gap.end} for plan, gap in found]
        say_json({"from": start, "to": end, "gaps": rows})
    else:
        empty = f"Somebody is on call at all times until {instant(end)}." if plans else _NO_SCHEDULES
        say_table(("schedule", "from", "to", "for"), [_gap(plan, gap) for plan, gap in found], empty, whole=True)
    if found:
        raise typer.Exit(Code.REFUSED)


def _plans(team: str | None, schedule: str | None, at: datetime) -> list[Plan]:
    settings = read_settings()
    policy = policy_in_force(settings).policy
    try:
        found = asyncio.run(rota.plans(policy, lambda chosen: _read(settings, chosen), team, schedule))
    except NotThere as missing:
        raise Fault(missing.args[0], Code.NOT_FOUND) from None
    except Contradiction as fault:
        raise Fault(str(fault), Code.USAGE) from None
    for plan in found:
        _warn(plan, at)
    return found


async def _read(settings: Settings, policy: Policy) -> Mapping[str, Fetched]:
    return await calendars_at(settings, policy, utc_now).read()


def _warn(plan: Plan, at: datetime) -> None:
    fetched = plan.fetched
    if fetched and fetched.fault:
        copy = f"; going by the copy that was fetched {relative(fetched.fetched_at)}" if fetched.calendar else ""
        complain(f"schedule {plan.name}: {fetched.fault}{copy}")
    if strangers := plan.strangers(at):
        titles = ", ".join(repr(title) for title in strangers[:5])
        complain(f"schedule {plan.name}: its calendar has events that name nobody in people: {titles}")


def _row(turn: Turn) -> tuple[str, ...]:
    plan = turn.plan
    until = _local(turn.until, plan.schedule.zone) if turn.until else "-"
    then = "-" if turn.then is None else _names(turn.then)
    return plan.name, ", ".join(plan.teams) or "-", _names(turn.people), until, then


def _json(turn: Turn) -> dict[str, Any]:
    return {
        "schedule": turn.plan.name,
        "teams": turn.plan.teams,
        "zone": turn.plan.schedule.zone,
        "people": turn.people,
        "until": turn.until.isoformat() if turn.until else None,
        "then": turn.then,
    }


def _gap(plan: Plan, gap: Span) -> tuple[str, ...]:
    zone = plan.schedule.zone
    return plan.name, _local(gap.start, zone), _local(gap.end, zone), describe(gap.end - gap.start)


def _local(at: datetime, zone: str) -> str:
    """`Mon 2026-03-30 09:00 CEST (07:00 UTC)`, with the day in UTC where that is another."""
    there, utc = at.astimezone(ZoneInfo(zone)), at.astimezone(UTC)
    beside = f"{utc:%H:%M}" if utc.date() == there.date() else f"{utc:%a %H:%M}"
    return f"{there:%a %Y-%m-%d %H:%M %Z} ({beside} UTC)"


def _names(people: tuple[str, ...]) -> str:
    return ", ".join(people) or "nobody"


def _instant(text: str) -> datetime:
    try:
        return rota.instant_of(datetime.fromisoformat(text))
    except ValueError:
        raise Fault(f"{text!r} is not a time; write it as 2026-03-29T09:00+02:00", Code.USAGE) from None


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(oncall, name="oncall")
