"""What can never work in a valid policy's escalation: levels that reach nobody, gaps, names that call nobody.

Pure: `now` is given, because gaps are looked for ahead. Schedules kept in a calendar elsewhere are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from models.escalation_rules import DEFAULT, Escalation, EscalationLevel, Target
from models.oncall.schedule import gaps
from models.paging import expert
from models.policy import Policy
from models.policy_findings import Finding, Path
from models.severity import describe

AHEAD: Final = timedelta(days=30)


def escalation_findings(policy: Policy, now: datetime) -> list[Finding]:
    """All of them, in the order of the file's sections."""
    return [*_chains(policy, now), *_schedules(policy, now), *_experts(policy)]


def _chains(policy: Policy, now: datetime) -> Iterator[Finding]:
    for name, chain in policy.chains.items():
        path: Path = ("escalation",) if name == DEFAULT else ("escalations", name)
        yield from _levels(path, chain, policy, now)
        addressed = chain.is_addressed or any(person.address for person in policy.people.values())
        if not (chain.routing_keys or policy.own_keys or addressed):
            yield Finding(path, "no level, team or person has a PagerDuty key: nobody would ever be paged")
        elif not (chain.routing_keys or chain.is_addressed) and any(it.routing_key is None for it in chain.levels):
            yield Finding(
                path, "there is no last resort: when nobody is on call nobody is paged; add last_resort", fault=False
            )


def _levels(path: Path, chain: Escalation, policy: Policy, now: datetime) -> Iterator[Finding]:
    for number, level in enumerate(chain.levels):
        here = (*path, "levels", number)
        if level.all_hands:
            continue
        if not any(_ever(target, level, policy, now) for target in level.paged):
            yield Finding(here, f"{level.name} pages nobody: nobody it names is on call within 30 days and reachable")


def _ever(target: Target, level: EscalationLevel, policy: Policy, now: datetime) -> bool:
    """Whether a target may reach somebody within the time that is looked at."""
    kind, name = target.named
    if kind in {"pagerduty", "slack_group", "email", "webhook"}:
        return True
    team = policy.teams[name] if kind == "team" else None
    schedule = team.schedule if team else name if kind == "schedule" else None
    if schedule is not None:
        return _covered(policy, schedule, now)
    fallback = level.routing_key or (team.pagerduty if team else None)
    people = team.members if team else (name,)
    known = (policy.people[one] for one in people)
    return any(fallback or person.pagerduty or person.slack or person.address for person in known)


def _covered(policy: Policy, name: str, now: datetime) -> bool:
    schedule = policy.schedules[name]
    if schedule.ical:
        return True
    found = gaps(schedule, now, now + AHEAD)
    return not found or found[0].end - found[0].start < AHEAD


def _schedules(policy: Policy, now: datetime) -> Iterator[Finding]:
    for name, schedule in policy.schedules.items():
        found = [] if schedule.ical else gaps(schedule, now, now + AHEAD)
        if found:
            first, more = found[0], f", and {len(found) - 1} times more within 30 days" if len(found) > 1 else ""
            since = f"from {first.start:%Y-%m-%d %H:%M} UTC for {describe(first.end - first.start)}"
            yield Finding(("schedules", name), f"nobody is on call {since}{more}", fault=False)


def _experts(policy: Policy) -> Iterator[Finding]:
    if not policy.teams:
        return
    named: list[tuple[Path, tuple[str, ...]]] = [
        (("classification", "kinds", place), one.experts) for place, one in enumerate(policy.classification.kinds)
    ]
    named += [(("services", name), entry.experts) for name, entry in policy.services.items()]
    for path, experts in named:
        for one in experts:
            if expert(one, policy) is None:
                yield Finding(
                    path, f"{one!r} is no team, schedule or person, so this expert is not called", fault=False
                )
    for name, entry in policy.services.items():
        if entry.owner and entry.owner not in policy.teams:
            yield Finding(("services", name), f"its owner {entry.owner!r} is not in teams", fault=False)
