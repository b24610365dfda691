"""By which way a level reaches each of its people whenever it is their turn: a pager, Slack alone, a mail, or none.

Pure: which keys are set is given. Who has their turn at an instant: models/paging.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from models.escalation_rules import EscalationLevel
from models.policy import Policy

Way = Literal["pager", "slack", "none", "email", "webhook"]


def ways(level: EscalationLevel, policy: Policy, keys: Collection[str]) -> Mapping[str, Way]:
    """By who may be paged (a person, a group, an address, or a key or webhook by its variable), with `keys` the
    variables that are set. One that somebody is given and that is not set is no way, and nothing stands in for it.
    """
    found: dict[str, Way] = {}
    for target in level.paged:
        kind, name = target.named
        if kind == "pagerduty":
            found[name] = "pager" if name in keys else "none"
        elif kind == "slack_group":
            found[name] = "slack"
        elif kind == "email":
            found[name] = "email"
        elif kind == "webhook":
            found[name] = "webhook" if name in keys else "none"
        else:
            team = policy.teams[name] if kind == "team" else None
            fallback = (team.pagerduty if team else None) or level.routing_key
            found |= {person: _way(person, fallback, policy, keys) for person in _people(kind, name, policy)}
    if level.all_hands:
        hands = (member for team in policy.teams.values() for member in team.members)
        found |= {person: _way(person, level.routing_key, policy, keys) for person in hands}
    return found


def only_by(
    closed: Collection[Way], policy: Policy, keys: Collection[str]
) -> Iterator[tuple[EscalationLevel, Mapping[str, Way], bool]]:
    """The levels of all chains with those whom they would reach by `closed` ways alone, and whether nobody is left."""
    for chain in policy.chains.values():
        for level in chain.levels:
            reached = ways(level, policy, keys)
            cut_off = {name: way for name, way in reached.items() if way in closed}
            if cut_off:
                yield level, cut_off, not set(reached.values()) - {*closed, "none"}


def _people(kind: str, name: str, policy: Policy) -> tuple[str, ...]:
    """Everybody who may ever be meant; of a calendar elsewhere that is anybody, and so nobody is judged."""
    if kind == "person":
        return (name,)
    team = policy.teams[name] if kind == "team" else None
    if team and team.schedule is None:
        return team.members
    schedule = policy.schedules[(team.schedule if team else None) or name]
    turns = [*(turn for layer in schedule.layers for turn in layer.people), *(one.who for one in schedule.overrides)]
    return tuple(dict.fromkeys(person for turn in turns for person in turn))


def _way(person: str, fallback: str | None, policy: Policy, keys: Collection[str]) -> Way:
    reach = policy.people[person]
    if key := reach.pagerduty or fallback:
        return "pager" if key in keys else "none"
    if reach.slack:
        return "slack"
    return "email" if reach.address else "none"
