"""How each event changes an incident: `evolve` folds the log into the state (models/state.py), and the log suffices.

Pure and total. An incident waits for people only by its deadlines, which are part of the state: arming, cancelling and
superseding them is nothing but the difference between two states (models.deadlines.ledger). Which events follow from a
signal: models/incident.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from models import coordination, correlated, flaps
from models.coordination_events import CoordinationEvent
from models.copies import replace
from models.correlation_events import CorrelationEvent, IncidentAttached
from models.deadlines import (
    ACKNOWLEDGE,
    ACKNOWLEDGEMENT,
    CALM,
    POSTMORTEM,
    RECLASSIFY,
    STALE,
    WAKE,
)
from models.escalation_events import (
    Acknowledged,
    AcknowledgementStands,
    EscalationEvent,
    EscalationExhausted,
    LevelPaged,
    LevelSkipped,
    NobodyOnCall,
    PageFailed,
    PageHeld,
    PageReceived,
    PolicyReassigned,
)
from models.events import (
    AlertsJoined,
    AlertsMuted,
    AlertsResolved,
    AlertsSeen,
    AlertsWentStale,
    DeadlinePassed,
    Event,
    GroupTruncated,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    ReclassificationPlanned,
    SeverityChanged,
    UpdatePosted,
)
from models.flapping_events import FlappingEvent
from models.page import with_fate
from models.severity import worst
from models.state import Incident

_PAGING = (ACKNOWLEDGE, ACKNOWLEDGEMENT, WAKE)
"""The deadlines by which people are paged."""


class CorruptLogError(AssertionError):
    """The log holds an event that cannot follow from the ones before it."""


def evolve(incident: Incident | None, event: Event, at: datetime) -> Incident:
    """The state after `event`, which was decided at `at`. Total: a recorded event is a fact and cannot be refused."""
    if isinstance(event, IncidentOpened):
        return _opened(event, at)
    if incident is None:
        message = f"{event.kind} before incident_opened"
        raise CorruptLogError(message)
    changed = _change(incident, event, at)
    return replace(changed, seq=incident.seq + 1, last_at=at)


def _opened(event: IncidentOpened, at: datetime) -> Incident:
    return Incident(
        id=event.incident_id,
        key=event.key,
        generation=event.generation,
        seq=1,
        number=event.number,
        title=event.title,
        summary=event.summary,
        service=event.service,
        environment=event.environment,
        tier=event.tier,
        severity=event.severity,
        peak=event.severity,
        priority=event.priority,
        why=event.why,
        links=event.links,
        status="triggered",
        stage="investigating",
        policy_version=event.policy_version,
        started_at=event.started_at,
        opened_at=at,
        last_at=at,
        kind=event.incident_kind,
        acknowledge_within=event.acknowledge_within,
    )


def _change(incident: Incident, event: Event, at: datetime) -> Incident:  # noqa: C901, PLR0911, PLR0912 (one arm per event is the point)
    if isinstance(event, EscalationEvent):
        return _escalated(incident, event, at)
    if isinstance(event, CoordinationEvent):
        told = replace(incident, coordination=coordination.evolve(incident.coordination, event))
        return told.scheduled(coordination.clocks(event))
    if isinstance(event, CorrelationEvent):
        return _related(incident, event)
    if isinstance(event, FlappingEvent):
        return replace(incident, flaps=flaps.evolve(incident.flaps, event, at)).scheduled(flaps.clocks(event))
    match event:
        case AlertsJoined():
            return _joined(incident, event)
        case AlertsSeen(stale_due=due) | AlertsWentStale(stale_due=due):
            return incident.armed(STALE, due)
        case GroupTruncated(group=group, unlisted=unlisted):
            return replace(incident, alerts=incident.alerts.truncated(group, unlisted=unlisted))
        case AlertsResolved(fingerprints=fingerprints, received_at=received_at):
            return replace(incident, alerts=incident.alerts.resolved(fingerprints, received_at))
        case AlertsMuted(alerts=alerts):
            return replace(incident, alerts=incident.alerts.muting(alerts))
        case SeverityChanged():
            return _judged(incident, event)
        case ReclassificationPlanned(pending=pending):
            planned = replace(incident, pending=pending)
            return planned.scheduled({RECLASSIFY: pending[0].due_at if pending else None})
        case UpdatePosted(stage=stage):
            return replace(incident, stage=stage, last_update_at=at)
        case IncidentResolved():
            return _resolved(incident, event, at)
        case IncidentReopened():
            return _reopened(incident, at)
        case DeadlinePassed(name=name):
            return incident.disarmed(name)
        case IncidentOpened():
            message = "incident_opened in the middle of a log"
            raise CorruptLogError(message)
        case _:
            assert_never(event)


def _escalated(incident: Incident, event: EscalationEvent, at: datetime) -> Incident:  # noqa: PLR0911 (one arm per event)
    match event:
        case LevelPaged():
            return _paged(incident, event, at)
        case PageReceived(ordinal=ordinal, acknowledge_due=due):
            received = replace(incident, pages=with_fate(incident.pages, ordinal, received=True))
            return received if due is None else replace(received, heard_at=at).armed(ACKNOWLEDGE, due)
        case PageFailed(ordinal=ordinal, final=final):
            return replace(incident, pages=with_fate(incident.pages, ordinal, failed=True)) if final else incident
        case EscalationExhausted():
            return incident.disarmed(ACKNOWLEDGE)
        case LevelSkipped() | NobodyOnCall():
            return incident
        case PageHeld(step=step, until=until, maintenance=title):
            return replace(incident, held_step=step, held_by=title).disarmed(ACKNOWLEDGE).armed(WAKE, until)
        case PolicyReassigned(acknowledge_due=acknowledge, expires_due=expires):
            given = replace(incident, policy_version=event.policy_version, chain=event.chain, step=event.step)
            clocks = {ACKNOWLEDGE: acknowledge, ACKNOWLEDGEMENT: expires}
            return given.scheduled({name: due for name, due in clocks.items() if due})
        case AcknowledgementStands(expires_due=due):
            return incident.armed(ACKNOWLEDGEMENT, due)
        case Acknowledged(by=by, expires_due=due):
            taken = replace(incident, status="acknowledged", acknowledged_at=at, acknowledged_by=by, taken_by=by)
            waits = taken.disarmed(ACKNOWLEDGE, WAKE)
            return waits if due is None else waits.armed(ACKNOWLEDGEMENT, due)
        case _:
            assert_never(event)


def _related(incident: Incident, event: CorrelationEvent) -> Incident:
    told = replace(incident, correlated=correlated.evolve(incident.correlated, event))
    quiet = told.disarmed(*_PAGING, *coordination.CLOCKS) if isinstance(event, IncidentAttached) else told
    return quiet.scheduled(correlated.clocks(event))


def _joined(incident: Incident, event: AlertsJoined) -> Incident:
    alerts = incident.alerts.joined(event.alerts, event.group, event.received_at)
    started_at = min([incident.started_at, *(alert.starts_at for alert in event.alerts)])
    alertname = incident.alertname or next((alert.labels.get("alertname", "") for alert in event.alerts), "")
    known = replace(incident, alerts=alerts, started_at=started_at, alertname=alertname)
    return known.armed(STALE, event.stale_due)


def _judged(incident: Incident, event: SeverityChanged) -> Incident:
    judged = replace(
        incident,
        severity=event.severity,
        peak=worst([incident.peak, event.severity]),
        priority=event.priority,
        had=tuple(sorted({*incident.had, incident.priority} - {event.priority})),
        why=event.why,
        acknowledge_within=event.acknowledge_within,
    )
    return judged if event.acknowledge_due is None else judged.armed(ACKNOWLEDGE, event.acknowledge_due)


def _paged(incident: Incident, event: LevelPaged, at: datetime) -> Incident:
    paged = replace(
        incident,
        status="triggered",
        acknowledged_by=None,
        acknowledged_at=None,
        step=event.step,
        pages=(*incident.pages, *event.pages),
        paged_at=at,
        heard_at=None,
        escalated_at=at if event.reason == "escalated" else incident.escalated_at,
    )
    return paged.disarmed(WAKE, ACKNOWLEDGEMENT).armed(ACKNOWLEDGE, event.acknowledge_due)


def _resolved(incident: Incident, event: IncidentResolved, at: datetime) -> Incident:
    resolved = replace(
        incident,
        status="resolved",
        stage="resolved",
        resolved_at=at,
        resolved_by=event.by,
        reopen_until=event.reopen_until,
        coordination=incident.coordination.resolved(),
        flaps=incident.flaps.resolved(by_person=event.via not in {"alertmanager", "tocsin"}),
        pending=(),
        alerts=incident.alerts.closed(),
    )
    quiet = resolved.disarmed(*_PAGING, RECLASSIFY, STALE, CALM, *coordination.CLOCKS, *correlated.CLOCKS)
    return quiet if event.postmortem_due is None else quiet.armed(POSTMORTEM, event.postmortem_due)


def _reopened(incident: Incident, at: datetime) -> Incident:
    reopened = replace(
        incident,
        status="triggered",
        stage="investigating",
        resolved_at=None,
        resolved_by=None,
        reopen_until=None,
        acknowledged_by=None,
        acknowledged_at=None,
        flaps=incident.flaps.again(at),
    )
    return reopened.disarmed(POSTMORTEM)
