"""Whether the names in schedules and teams are names of somebody or something, and where they stand if not."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from models.oncall.sections import BusinessCalendar, OnCallSchedule, Team, Turn

_Path = tuple[str | int, ...]
Use = tuple[_Path, str, str, Collection[str]]
"""Where a name is used, the name, the section that it should stand in, and the names there."""
UNKNOWN_NAMES = "unknown_names"
"""The type of the fault; its context has `faults`, each the path of a value and what is wrong with it."""


def check_names(
    people: Collection[str],
    teams: Mapping[str, Team],
    schedules: Mapping[str, OnCallSchedule],
    calendars: Mapping[str, BusinessCalendar],
    others: Iterable[Use] = (),
) -> None:
    """Raises PydanticCustomError (see UNKNOWN_NAMES) that says all of them."""
    used = [*_of_schedules(schedules, people), *_of_teams(teams, people, schedules, calendars), *others]
    faults = [(path, _unknown(name, kind, known)) for path, name, kind, known in used if name not in known]
    if faults:
        words = "; ".join(f"{'.'.join(map(str, path))}: {what}" for path, what in faults)
        context: dict[str, Any] = {"faults": faults, "words": words}
        raise PydanticCustomError(UNKNOWN_NAMES, "{words}", context)


def _of_schedules(schedules: Mapping[str, OnCallSchedule], people: Collection[str]) -> Iterator[Use]:
    for name, schedule in schedules.items():
        for number, layer in enumerate(schedule.layers):
            for position, turn in enumerate(layer.people):
                yield from _of_turn(("schedules", name, "layers", number, "people", position), turn, people)
        for number, override in enumerate(schedule.overrides):
            yield from _of_turn(("schedules", name, "overrides", number, "who"), override.who, people)


def _of_turn(path: _Path, turn: Turn, people: Collection[str]) -> Iterator[Use]:
    for person in turn:
        yield path, person, "people", people


def _of_teams(
    teams: Mapping[str, Team],
    people: Collection[str],
    schedules: Collection[str],
    calendars: Collection[str],
) -> Iterator[Use]:
    for name, team in teams.items():
        for position, member in enumerate(team.members):
            yield ("teams", name, "members", position), member, "people", people
        for key, value, kind, known in (
            ("lead", team.lead, "people", people),
            ("schedule", team.schedule, "schedules", schedules),
            ("calendar", team.calendar, "calendars", calendars),
        ):
            if value is not None:
                yield ("teams", name, key), value, kind, known


def _unknown(name: str, kind: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "add it there"
    return f"{name!r} is not in {kind}; {hint}"
