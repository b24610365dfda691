"""Whom a level of an escalation reaches at an instant: its targets, resolved by the on-call schedules. POLICY 9, 10.

Pure. What it answers is frozen in the event that says the level was paged, so nothing is ever resolved twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from models.escalation_rules import Escalation, EscalationLevel, Target
from models.oncall.schedule import on_call
from models.page import Recipient
from models.policy import Policy


@dataclass(frozen=True, slots=True)
class Reached:
    """Who is reached, one page each, and why others are not."""

    recipients: tuple[Recipient, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """People who were found by one target, with the routing key for those who have none."""

    people: tuple[str, ...]
    target: str
    fallback: str | None


def reached(level: EscalationLevel, service: str, policy: Policy, now: datetime) -> Reached:
    """Whom a level pages at `now`: nobody twice, one page per key; in Slack whoever has none, or by e-mail."""
    hands = _hands(service, policy) if level.all_hands else ()
    return _reach((*level.paged, *(Target(person=person) for person in hands)), level.routing_key, policy, now)


def with_experts(
    recipients: tuple[Recipient, ...], kind: str, service: str, policy: Policy, now: datetime
) -> tuple[Recipient, ...]:
    """The same and, beside them, the experts of a kind of incident and of a service. POLICY 10."""
    rule = next((one for one in policy.classification.kinds if one.name == kind), None)
    entry = policy.services.get(service)
    names = dict.fromkeys((*(rule.experts if rule else ()), *(entry.experts if entry else ())))
    targets = [target for name in names if (target := expert(name, policy))]
    return tuple(_once((*recipients, *_reach(targets, None, policy, now).recipients)))


def expert(name: str, policy: Policy) -> Target | None:
    """Whom a name among `experts` means: a team, a schedule or a person."""
    if name in policy.teams:
        return Target(team=name)
    if name in policy.schedules:
        return Target(schedule=name)
    return Target(person=name) if name in policy.people else None


def _hands(service: str, policy: Policy) -> tuple[str, ...]:
    owner = policy.owner(service)
    teams = (owner,) if owner else policy.teams.values()
    return tuple(dict.fromkeys(member for team in teams for member in team.members))


def _reach(targets: Iterable[Target], fallback: str | None, policy: Policy, now: datetime) -> Reached:
    """Whom targets mean at `now`; `fallback` is the routing key for those who have none."""
    recipients: list[Recipient] = []
    lacking: list[str] = []
    seen: set[str] = set()
    for target in targets:
        kind, name = target.named
        if direct := _direct(kind, name):
            recipients.append(direct)
            continue
        found = _found(kind, name, fallback, policy, now)
        if not found.people:
            lacking.append(f"nobody is on call: {found.target}")
        fresh = [person for person in found.people if person not in seen]
        seen |= set(fresh)
        reachable = {person: _recipient(person, found, policy) for person in fresh}
        recipients += [one for one in reachable.values() if one]
        lacking += [f"{person} has no PagerDuty key, Slack id or address" for person in fresh if not reachable[person]]
    return Reached(tuple(_once(recipients)), tuple(lacking))


def _direct(kind: str, name: str) -> Recipient | None:
    """Of a target that names the way itself; None for people, however they are named."""
    match kind:
        case "pagerduty":
            return Recipient(routing_key=name, target=f"pagerduty {name}")
        case "slack_group":
            return Recipient(slack=name, target=f"slack group {name}")
        case "email":
            return Recipient(email=name, target=f"email {name}")
        case "webhook":
            return Recipient(webhook=name, target=f"webhook {name}")
        case _:
            return None


def last_resort(chain: Escalation) -> Recipient | None:
    """Who is paged when no level of a chain reaches anybody."""
    key = chain.last_resort or next(iter(chain.routing_keys), None)
    return Recipient(routing_key=key, target="last resort") if key else None


def _found(kind: str, name: str, fallback: str | None, policy: Policy, now: datetime) -> _Found:
    label = f"{kind} {name}"
    if kind == "person":
        return _Found((name,) if name in policy.people else (), label, fallback)
    team = policy.teams.get(name) if kind == "team" else None
    schedule = (team.schedule if team else None) if kind == "team" else name
    fallback = (team.pagerduty if team else None) or fallback
    if team and schedule is None:
        return _Found(team.members, label, fallback)
    rules = policy.schedules.get(schedule or "")
    people = on_call(rules, now, policy.imported.get(schedule or "")) if rules else ()
    return _Found(tuple(person for person in people if person in policy.people), label, fallback)


def _recipient(person: str, found: _Found, policy: Policy) -> Recipient | None:
    reach = policy.people[person]
    if key := reach.pagerduty or found.fallback:
        return Recipient(routing_key=key, people=(person,), target=found.target)
    if reach.slack:
        return Recipient(slack=reach.slack, people=(person,), target=found.target)
    return Recipient(email=address, people=(person,), target=found.target) if (address := reach.address) else None


def _once(recipients: Iterable[Recipient]) -> Iterator[Recipient]:
    """One per routing key, Slack id, address and webhook: several people behind one key are one page."""
    merged: dict[tuple[str, ...], Recipient] = {}
    for one in recipients:
        place = (*one.way, one.slack)
        first = merged.setdefault(place, one)
        merged[place] = replace(first, people=tuple(dict.fromkeys((*first.people, *one.people))))
    yield from merged.values()
