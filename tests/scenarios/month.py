"""Thirty days of two teams, in Berlin and New York, over the days on which their clocks change: what breaks when, drawn
from a seed; and who is on call and when the office is open, computed anew and naively, hour by hour.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.world import DEFAULT

BEGINS = datetime(2026, 10, 10, tzinfo=UTC)
DAYS = 30
HOUR = timedelta(hours=1)
PEOPLE = ("ana", "ben", "cleo", "dora", "emil", "finn", "gus", "hana")
POLICY = (
    DEFAULT.replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}")
    .replace(
        "people: {}", "people:\n" + "".join(f"  {one}: {{pagerduty: TOCSIN_KEY_{one.upper()}}}\n" for one in PEOPLE)
    )
    .replace(
        "services: {}",
        """services:
  checkout: {owner: payments, escalation: payments}
  ledger: {owner: payments, escalation: payments}
  index: {owner: search, escalation: search}""",
    )
    + """
teams:
  payments: {members: [ana, ben, cleo, gus], calendar: berlin}
  search: {members: [dora, emil, finn, hana], calendar: york}
escalations:
  payments:
    levels: [{name: on-call, targets: [{schedule: payments}]}, {name: lead, targets: [{person: gus}]}]
  search:
    levels: [{name: on-call, targets: [{schedule: search}]}, {name: lead, targets: [{person: hana}]}]
calendars:
  berlin: {zone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}}
  york: {zone: America/New_York, hours: {mon-fri: "09:00-17:00"}}
schedules:
  payments:
    zone: Europe/Berlin
    layers: [{name: week, people: [ana, ben, cleo], every: weekly, start: 2026-10-05 09:00}]
    overrides: [{from: 2026-10-24 20:00, to: 2026-10-25 12:00, who: cleo}]
  search:
    zone: America/New_York
    layers: [{name: day, people: [dora, emil, finn], every: daily, start: 2026-10-05 08:00}]
    overrides:
      - {from: 2026-10-31 22:00, to: 2026-11-01 06:00, who: dora}
      - {from: 2026-11-03 08:00, to: 2026-11-05 08:00, who: finn}
"""
)


@dataclass(frozen=True)
class Team:
    """What the policy above says of a team, said again in other words."""

    zone: str
    lead: str
    turns: tuple[str, ...]
    handoff: int
    """The hour of the day."""
    weekdays: tuple[int, ...]
    """Those that begin with a handoff."""
    overrides: tuple[tuple[str, str, str], ...]
    roster: dict[datetime, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at, turn = datetime(2026, 10, 5, tzinfo=UTC), -1
        while at < BEGINS + timedelta(days=DAYS + 10):
            local = self.local(at)
            turn += local.hour == self.handoff and local.weekday() in self.weekdays
            wall = f"{local:%Y-%m-%d %H:%M}"
            standing_in = [who for begins, ends, who in self.overrides if begins <= wall < ends]
            self.roster[at] = standing_in[-1] if standing_in else self.turns[turn % len(self.turns)]
            at += HOUR

    def local(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self.zone))

    def on_call(self, at: datetime) -> str:
        return self.roster[at.replace(minute=0, second=0, microsecond=0)]

    def is_open(self, at: datetime) -> bool:
        local = self.local(at)
        return local.weekday() < 5 and 9 <= local.hour < 17

    def turning_points(self) -> list[datetime]:
        """The hours of the month at which somebody else is on call, or the office opens or closes."""
        hours = [BEGINS + number * HOUR for number in range(1, DAYS * 24)]
        return [
            at
            for at in hours
            if self.on_call(at) != self.on_call(at - HOUR) or self.is_open(at) != self.is_open(at - HOUR)
        ]

    def opens(self, at: datetime) -> datetime:
        """The next hour, from `at` on, at which the office is open."""
        at = at.replace(minute=0, second=0, microsecond=0) + HOUR
        while not self.is_open(at):
            at += HOUR
        return at


PAYMENTS = Team(
    "Europe/Berlin", "gus", ("ana", "ben", "cleo"), 9, (0,), (("2026-10-24 20:00", "2026-10-25 12:00", "cleo"),)
)
SEARCH = Team(
    "America/New_York",
    "hana",
    ("dora", "emil", "finn"),
    8,
    tuple(range(7)),
    (("2026-10-31 22:00", "2026-11-01 06:00", "dora"), ("2026-11-03 08:00", "2026-11-05 08:00", "finn")),
)
TEAMS = {"checkout": PAYMENTS, "ledger": PAYMENTS, "index": SEARCH}


@dataclass(frozen=True, order=True)
class Deed:
    """Something that happens to one incident: of Alertmanager's, or of people."""

    at: datetime
    number: int
    what: str
    service: str
    alert: str
    severity: str


def deeds(seed: int, a_day: int = 6) -> list[Deed]:
    """What happens in a month, in order."""
    chance = random.Random(seed)
    told: list[Deed] = []
    for number in range(DAYS * a_day):
        service, alert = chance.choice(sorted(TEAMS)), chance.choice(["Errors", "Latency", "PostgresDown"])
        begins = BEGINS + chance.random() * timedelta(days=DAYS)
        if chance.random() < 0.5:  # when it is easiest to get wrong
            begins = chance.choice(TEAMS[service].turning_points()) + chance.uniform(-0.5, 0.5) * HOUR
        severity = chance.choices(["critical", "page", "warning", "low"], [1, 4, 4, 1])[0]
        told += [Deed(begins + after, number, what, service, alert, severity) for after, what in _life(chance)]
    return sorted(told)


def _life(chance: random.Random) -> list[tuple[timedelta, str]]:
    """Of one incident: what happens, and how long after its beginning."""

    def soon(mean: float) -> timedelta:
        return timedelta(minutes=chance.expovariate(1 / mean))

    told = [(after := timedelta(0), "fires")]
    if chance.random() < 0.75:  # else nobody is there to acknowledge it
        told += [(taken := soon(8), "acknowledge"), (taken + soon(20), "update")]
    if chance.random() < 0.1:
        told.append((soon(10), "escalate"))
    if chance.random() < 0.1:
        told.append((soon(15), "worse"))
    for _ in range(chance.choice([0, 0, 0, 1, 3, 8])):  # it flaps
        told += [(after := after + soon(6), "ends"), (after := after + soon(6), "fires")]
    if chance.random() < 0.1:
        told.append((soon(60), "resolve"))
    over = max(told)[0] + soon(60)
    return [*told, (over, "ends"), (over + timedelta(hours=chance.uniform(1, 90)), "review")]
