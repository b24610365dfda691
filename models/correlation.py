"""Which incidents belong together, and that one of them pages for all. POLICY 7.

Pure, a part of `decide`. A new incident is attached to an open one that pages already: that of a service it depends
on, a more severe one of its own service, or a storm's; a person may merge and split. An attached incident pages
nobody, and looks again and again whether the other is still open: when it is not, it pages for itself, so that nothing
is swallowed. docs/decisions/0033.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

from models import escalation, parents
from models.correlated import Attachment
from models.correlation_events import AttachmentStands, IncidentAttached, IncidentDetached
from models.deadlines import ATTACHMENT, RECLASSIFY, STORM, WAKE
from models.escalation import TOCSIN
from models.escalation_events import (
    Acknowledged,
    AcknowledgementStands,
    EscalationExhausted,
    LevelPaged,
    LevelSkipped,
    NobodyOnCall,
    PageHeld,
)
from models.events import Event, IncidentOpened, IncidentReopened, SeverityChanged
from models.evolution import evolve
from models.ourselves import OURSELVES
from models.policy import Policy
from models.signals import (
    AlertsReported,
    DeadlineReached,
    HoldsChanged,
    IncidentDeclared,
    MergeRequested,
    Signal,
    SplitRequested,
)
from models.state import Incident
from models.surroundings import Question, Surroundings

_PAGING = LevelPaged | LevelSkipped | NobodyOnCall | EscalationExhausted | PageHeld
_OVER = "what it was attached to is over, or matters less"


def question(signals: Iterable[Signal], policy: Policy) -> Question:
    """What has to be known of other incidents to decide `signals`."""
    rules = policy.correlation
    services: set[str] = set()
    keys: set[str] = set()
    attached_to: set[str] = set()
    environments: set[str] = set()
    for signal in signals:
        match signal:
            case AlertsReported() if signal.group_status == "firing":
                keys.add(signal.key)
                environments.add(signal.environment)
                services.update(policy.depends_on(signal.service) if rules.by_dependency else ())
                services.update([signal.service] if rules.by_severity else ())
            case DeadlineReached(name=name) if name == ATTACHMENT:
                keys.add(signal.key)
            case DeadlineReached(name=name) if name == STORM:
                attached_to.add(signal.key)
            case _ if _ends_a_wait(signal):
                keys.add(signal.key)
                services.update(policy.services if rules.by_dependency or rules.by_severity else ())
            case MergeRequested():
                keys.add(signal.parent)
            case _:
                pass
    asked = Question(services=frozenset(services), keys=frozenset(keys), attached_to=frozenset(attached_to))
    if (storm := rules.storm) is None:
        return asked
    return replace(asked, environments=frozenset(environments), window=storm.within, most=storm.incidents)


def quieted(
    incident: Incident | None,
    signal: Signal,
    events: Sequence[Event],
    policy: Policy,
    now: datetime,
    around: Surroundings,
) -> list[Event]:
    """`events`, without the pages by which an incident begins, where it belongs to one that pages already."""
    is_attached = incident is not None and incident.parent is not None
    if not (is_attached or (_may_attach(policy, around) and _begins(signal, events))):
        return list(events)
    calm = [event for event in events if not isinstance(event, _PAGING)]
    state = reduce(lambda known, event: evolve(known, event, now), calm, incident)
    if state is None or not state.is_open or state.service == OURSELVES:
        return list(events)
    if state.parent is not None:
        return _still(state, signal, events, policy, now, around)
    found = next(parents.candidates(state, policy, around, now), None)
    if found is None or (state.pages and not _opens(events)):
        return list(events)
    parent, number, reason, why = found
    unheard = policy.channels[state.priority] if incident is None or incident.id != state.id else frozenset()
    hushes = tuple(sorted(unheard if reason == "storm" else unheard - {"slack"}))
    attached = IncidentAttached(
        parent=parent,
        number=number,
        reason=reason,
        why=why,
        hushes=hushes,
        severity=state.severity,
        tier=state.tier,
        look_again_due=now + policy.correlation.look_again,
        by=TOCSIN,
    )
    return [*calm, attached]


def _still(
    state: Incident, signal: Signal, events: Sequence[Event], policy: Policy, now: datetime, around: Surroundings
) -> list[Event]:
    """`events` of an incident that is attached: on its own again when a person pages, or when it became worse."""
    calm = [event for event in events if not isinstance(event, _PAGING)]
    raised = any(isinstance(event, SeverityChanged) and event.by == TOCSIN for event in events)
    if not raised and not _opens(events):
        paged = any(isinstance(event, LevelPaged) for event in events)
        by = getattr(signal, "by", TOCSIN)
        return [*events, IncidentDetached(why=f"paged by {by}", by=by)] if paged else list(events)
    if parents.stands(state, policy, around, now, worse=raised):
        return [*calm, AttachmentStands(look_again_due=now + policy.correlation.look_again)]
    return [*calm, *_detached(state, _OVER, TOCSIN, policy, now)]


def _may_attach(policy: Policy, around: Surroundings) -> bool:
    """False where nothing around could page for another: so it is for most of what happens."""
    storm = policy.correlation.storm
    return bool(around.worst) or (storm is not None and max(around.begun.values(), default=0) >= storm.incidents)


def _opens(events: Iterable[Event]) -> bool:
    return any(isinstance(event, IncidentOpened | IncidentReopened) for event in events)


def _begins(signal: Signal, events: Sequence[Event]) -> bool:
    """True when it would page by itself for the first time. What a person does pages as they say."""
    if isinstance(signal, IncidentDeclared):
        return False
    raised = any(isinstance(event, SeverityChanged) and event.by == TOCSIN for event in events)
    pages = any(isinstance(event, _PAGING) for event in events)
    return _opens(events) or ((raised or _ends_a_wait(signal)) and pages)


def _ends_a_wait(signal: Signal) -> bool:
    """True where it may begin to page though nothing was reported; of its service only the incident knows."""
    passed = isinstance(signal, DeadlineReached) and signal.name in {WAKE, RECLASSIFY}
    return passed or isinstance(signal, HoldsChanged)


def looked_again(incident: Incident, policy: Policy, now: datetime, around: Surroundings) -> list[Event]:
    """The other incident is still open; or it is not, and this one pages for itself, unless somebody has it."""
    if parents.stands(incident, policy, around, now):
        number = around.by_key[incident.parent or ""].number
        return [AttachmentStands(look_again_due=now + policy.correlation.look_again, number=number)]
    if incident.status == "acknowledged":
        expires = escalation.expires_due(incident, policy, now)
        stands = [AcknowledgementStands(expires_due=expires)] if expires else []
        return [IncidentDetached(why=_OVER, by=TOCSIN), *stands]
    return _detached(incident, _OVER, TOCSIN, policy, now)


def merged(
    incident: Incident, signal: MergeRequested, policy: Policy, now: datetime, around: Surroundings
) -> list[Event]:
    """A person attaches it to another, and so has it. Nothing where that one is not open, or attached itself."""
    parent = around.by_key.get(signal.parent)
    if parent is None or parent.parent is not None or parent.key in {incident.key, incident.parent}:
        return []
    taken: list[Event] = [Acknowledged(by=signal.by, via=signal.via)] if incident.status == "triggered" else []
    known: Attachment | None = incident.correlated.attachment
    return [
        *taken,
        IncidentAttached(
            parent=parent.key,
            number=parent.number,
            reason="merged",
            why=f"merged by {signal.by}",
            hushes=tuple(sorted(known.hushes)) if known else (),
            severity=incident.severity,
            tier=incident.tier,
            look_again_due=now + policy.correlation.look_again,
            by=signal.by,
        ),
    ]


def split(incident: Incident, signal: SplitRequested, policy: Policy, now: datetime) -> list[Event]:
    """A person takes it out again: from now on it pages for itself."""
    return _detached(incident, f"split by {signal.by}", signal.by, policy, now) if incident.parent else []


def _detached(incident: Incident, why: str, by: str, policy: Policy, now: datetime) -> list[Event]:
    detached = IncidentDetached(why=why, by=by)
    alone = evolve(incident, detached, now)
    return [detached, *escalation.first_level(alone, escalation.Cause("detached", by), policy, now)]


def is_attached(incident: Incident | None, events: Iterable[Event]) -> bool:
    """Whether it is attached after `events`."""
    attached = incident is not None and incident.parent is not None
    for event in events:
        if isinstance(event, IncidentAttached | IncidentDetached | IncidentOpened):
            attached = isinstance(event, IncidentAttached)
    return attached
