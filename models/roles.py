"""Who takes which role, and what follows while nobody leads. POLICY 15.

Pure. People assign roles, and so does the policy by severity; whoever acknowledges becomes primary resolver. Where the
policy wants a commander and there is none, that is said, and then told to the next level; it never pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from models.coordination_events import CommanderExpected, CommanderMissing, RoleAssigned
from models.correlation_events import IncidentDetached
from models.deadlines import COMMANDER
from models.deliveries import DeliveryKind, Message
from models.escalation import TOCSIN
from models.escalation_events import Acknowledged
from models.events import Event, IncidentOpened, IncidentReopened, IncidentResolved, SeverityChanged
from models.policy import Policy
from models.role import Role
from models.severity import Severity, describe
from models.signals import RoleRequested
from models.state import Incident
from models.updates import addressed, beyond


def assigned(incident: Incident, signal: RoleRequested) -> list[Event]:
    """A person gives a role to somebody, or releases who has it."""
    if incident.coordination.roles.get(signal.role) == signal.person:
        return []
    return [RoleAssigned(role=signal.role, person=signal.person, by=signal.by)]


def followed(incident: Incident | None, events: Sequence[Event], policy: Policy, now: datetime) -> list[Event]:
    """The roles that follow from `events`, and by when somebody has to lead."""
    opened = next((event for event in events if isinstance(event, IncidentOpened)), None)
    about = opened or incident
    if about is None or any(isinstance(event, IncidentResolved) for event in events):
        return []
    before = incident if opened is None else None
    held = dict(before.coordination.roles) if before else {}
    following: list[Event] = []
    for event in events:
        match event:
            case Acknowledged(by=by) if held.get(Role.PRIMARY_RESOLVER) in {None, before and before.taken_by}:
                if held.get(Role.PRIMARY_RESOLVER) != by:
                    following.append(RoleAssigned(role=Role.PRIMARY_RESOLVER, person=by, by=TOCSIN))
            case IncidentOpened(severity=severity) | SeverityChanged(severity=severity):
                following += _by_policy(severity, held, policy)
            case IncidentDetached():
                following += _by_policy(about.severity, held, policy)
            case _:
                pass
    return [*following, *_commander(before, about.severity, [*events, *following], policy, now)]


def _by_policy(severity: Severity, held: Mapping[Role, str], policy: Policy) -> Iterator[RoleAssigned]:
    for role, rule in policy.roles.assigned():
        if severity in rule.severities and role not in held:
            yield RoleAssigned(role=role, person=rule.person, by=TOCSIN)


def _commander(
    before: Incident | None, severity: Severity, events: Sequence[Event], policy: Policy, now: datetime
) -> list[Event]:
    """Somebody has to lead from the opening on, when it gets worse, and when who led is released."""
    leads = before.coordination.roles.get(Role.INCIDENT_COMMANDER) if before else None
    asked = False
    for event in events:
        match event:
            case RoleAssigned(role=Role.INCIDENT_COMMANDER, person=person):
                leads, asked = person, asked or person is None
            case IncidentOpened() | IncidentReopened() | IncidentDetached():
                asked = True
            case SeverityChanged():
                asked, severity = True, event.severity
            case _:
                pass
    within = policy.roles.commander_within.get(severity)
    if not asked or leads is not None:
        return []
    if within is None:
        return [CommanderExpected(commander_due=None)] if before and COMMANDER in before.deadlines else []
    return [CommanderExpected(commander_due=now + within)]


def reached(incident: Incident, policy: Policy, now: datetime) -> list[Event]:
    """Nobody leads yet: said first where everybody reads, then to one level after the other, until the last."""
    within = policy.roles.commander_within.get(incident.severity)
    if within is None:
        return []
    asked = incident.coordination.commander_asked + 1
    level = "" if asked == 1 else beyond(incident, asked - 1, policy)
    last = level == policy.chain(incident.service, incident.chain).levels[-1].name
    return [CommanderMissing(asked=asked, level=level, commander_due=None if last else now + within)]


def told(
    event: RoleAssigned | CommanderMissing, incident: Incident, policy: Policy
) -> Iterator[tuple[DeliveryKind, Message]]:
    """To whom it is said. Who acknowledged is told of as such, not as primary resolver as well."""
    match event:
        case RoleAssigned(role=role, person=person, by=by):
            how = "by the policy" if by == TOCSIN else f"said by {by}"
            if person is None:
                yield DeliveryKind.NOTICE, Message(f"Nobody is {role.words} any more ({how})", by=by)
            elif (role, by) != (Role.PRIMARY_RESOLVER, TOCSIN):
                yield DeliveryKind.NOTICE, addressed(f"{person} is {role.words} ({how})", person, policy)
        case CommanderMissing(level=level):
            since = describe(policy.roles.commander_within[incident.severity])
            text = f"{incident.number} ({incident.severity}, {incident.title[:200]}) has no incident commander"
            text += f" and needs one within {since}: `tocsin assign {incident.number} incident_commander NAME`"
            yield DeliveryKind.REMINDER, addressed(text, level or incident.taken_by, policy, everybody=incident)
