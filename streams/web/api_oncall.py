"""The API about who is on call, under /api/v1: what `tocsin oncall` says, by the same code (streams/rota.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from streams import rota
from streams.rota import Contradiction, NotThere, Plan, Turn
from streams.web.api import API_ERRORS, authorise
from streams.web.commands import Ports
from streams.web.errors import Problem
from streams.web.ports import WebPorts

router = APIRouter(prefix="/api/v1/oncall", tags=["on-call"], dependencies=[Depends(authorise)], responses=API_ERRORS)

Name = Annotated[str | None, Query(max_length=100)]
At = Annotated[datetime | None, Query(description="Then, not now; UTC without an offset. Write + as %2B.")]


class OnCallView(BaseModel):
    """Who is on call by one schedule. `until` and `then` are null where nothing changes within a year."""

    schedule: str
    teams: tuple[str, ...]
    zone: str
    people: tuple[str, ...]
    until: datetime | None
    then: tuple[str, ...] | None
    warnings: list[str]
    """Of a calendar that is kept elsewhere: that it cannot be read, or names people whom nobody knows."""

    @classmethod
    def of(cls, turn: Turn, at: datetime) -> Self:
        plan = turn.plan
        return cls(
            schedule=plan.name,
            teams=plan.teams,
            zone=plan.schedule.zone,
            people=turn.people,
            until=turn.until,
            then=turn.then,
            warnings=_warnings(plan, at),
        )


class OnCall(BaseModel):
    at: datetime
    schedules: list[OnCallView]


class GapView(BaseModel):
    """Nobody is on call from `from` up to `to`."""

    model_config = ConfigDict(populate_by_name=True)

    schedule: str
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class Gaps(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    gaps: list[GapView]


def _warnings(plan: Plan, at: datetime) -> list[str]:
    fault = plan.fetched.fault if plan.fetched else None
    strangers = [f"its calendar has an event that names nobody in people: {title!r}" for title in plan.strangers(at)]
    return [*([fault] if fault else ()), *strangers[:5]]


@router.get("")
async def show(ports: Ports, at: At = None, team: Name = None, schedule: Name = None) -> OnCall:
    """Who is on call, until when, and who comes then, by the policy in force. POLICY 11."""
    then = _instant(at, ports)
    turns = [rota.turn(plan, then) for plan in await _plans(ports, team, schedule)]
    return OnCall(at=then, schedules=[OnCallView.of(turn, then) for turn in turns])


@router.get("/gaps")
async def show_gaps(
    ports: Ports,
    at: Annotated[datetime | None, Query(alias="from", description="From then on, not from now.")] = None,
    days: Annotated[int, Query(ge=1, le=rota.MOST_DAYS)] = 30,
    team: Name = None,
    schedule: Name = None,
) -> Gaps:
    """When nobody is on call."""
    start = _instant(at, ports)
    end = start + timedelta(days=days)
    plans = await _plans(ports, team, schedule)
    found = await asyncio.to_thread(rota.uncovered, plans, start, end)  # a year of short turns takes its time
    told = [GapView(schedule=plan.name, start=gap.start, end=gap.end) for plan, gap in found]
    return Gaps(start=start, end=end, gaps=told)


def _instant(at: datetime | None, ports: WebPorts) -> datetime:
    try:
        return rota.instant_of(at or ports.clock().replace(microsecond=0))
    except Contradiction as fault:
        raise Problem(422, f"at: {fault}", "Ask for another time.") from None


async def _plans(ports: WebPorts, team: str | None, schedule: str | None) -> Sequence[Plan]:
    try:
        return await rota.plans(ports.policy.policy, ports.calendars, team, schedule)
    except NotThere as missing:
        raise Problem(404, missing.args[0], "GET /api/v1/policy shows what there is.") from None
    except Contradiction as fault:
        raise Problem(422, str(fault), "See /docs for the fields.") from None
