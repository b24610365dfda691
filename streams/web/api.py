# ruff: noqa: FAST003 (a dependency takes the path parameter)
"""The API's questions and commands about incidents, under /api/v1. Reviews and deliveries: api_operations.py."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from models.deliveries import PageFacts
from models.explanation import explain
from models.severity import ServiceTier, Severity
from models.signals import (
    AcknowledgeRequested,
    EscalateRequested,
    IncidentDeclared,
    ResolveRequested,
    SeverityRequested,
    Signal,
    UpdateRequested,
)
from models.state import Incident, Status
from models.store.rows import IncidentFilter, Position, Ticket
from streams import topics
from streams.web import api_models as api
from streams.web import api_requests as requests
from streams.web.auth import Doors
from streams.web.commands import Commands, Giver, Ports, TheIncident, Told, incident_of, later
from streams.web.errors import Problem
from streams.web.ports import WebPorts


def authorise(request: Request) -> None:
    """Lets in whoever has the API's token. Raises Problem."""
    doors: Doors = request.app.state.api_doors
    try:
        doors.admit(request.headers, request.client.host if request.client else "an unknown address")
    except Problem:
        request.app.state.metrics.denied.labels("api").inc()
        raise


API_ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": api.Problem, "description": text}
    for status, text in {
        401: "No valid token.",
        404: "No such thing.",
        422: "A field is wrong.",
        503: "Try again.",
    }.items()
}
LATER: dict[int | str, dict[str, object]] = {202: {"model": api.Accepted, "description": "Kept, not handled yet."}}
router = APIRouter(prefix="/api/v1", tags=["incidents"], dependencies=[Depends(authorise)], responses=API_ERRORS)


@router.get("/incidents")
async def list_incidents(  # noqa: PLR0913 (FastAPI reads the query from the signature)
    ports: Ports,
    status: Annotated[list[Status] | None, Query()] = None,
    severity: Annotated[list[Severity] | None, Query()] = None,
    service: Annotated[requests.Label | None, Query()] = None,
    attached_to: Annotated[str | None, Query(max_length=60, description="The number of an incident.")] = None,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> api.IncidentPage:
    """Newest first. `status` and `severity` may be given several times."""
    parent = (await incident_of(attached_to, ports)).key if attached_to else None
    which = IncidentFilter(
        frozenset(status) if status else None, frozenset(severity) if severity else None, service, parent
    )
    found = await ports.reads.incidents(which, _position(after) if after else None, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    tickets = await ports.reads.tickets([incident.id for incident in found])
    return api.IncidentPage(
        incidents=[api.IncidentView.of(incident, tickets.get(incident.id)) for incident in found[:limit]],
        next=_cursor(Position(last.opened_at, last.id)) if last else None,
    )


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.opened_at.isoformat()} {position.incident_id}".encode()).decode()


def _position(cursor: str) -> Position:
    try:
        opened_at, _, incident_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        position = Position(datetime.fromisoformat(opened_at), uuid.UUID(incident_id))
    except (binascii.Error, ValueError):
        position = None
    if position is None or position.opened_at.tzinfo is None:
        raise Problem(422, "after: not a place in this list", "Send `next` of the page before, or leave it out.")
    return position


@router.post("/incidents", status_code=201, response_model=api.CommandAnswer, responses=LATER)
async def declare(asked: requests.Declare, told: Told, ports: Ports, giver: Giver) -> api.CommandAnswer | Response:
    """Declares an incident that no alert has reported. POLICY 40."""
    policy = ports.policy.policy
    entry = policy.services.get(asked.service)
    kinds = [kind.name for kind in policy.classification.kinds]
    if asked.kind and asked.kind not in kinds:
        raise Problem(422, f"kind: the policy knows no {asked.kind!r}", f"It knows: {', '.join(kinds) or 'none'}.")
    tier = asked.tier or (entry.tier if entry else ServiceTier.TWO)
    signal = IncidentDeclared(
        id=told.id,
        key=f"declared/{told.id}",
        title=asked.title,
        summary=asked.summary,
        service=asked.service,
        environment=asked.environment,
        severity=asked.severity,
        priority=policy.priority(asked.severity, tier),
        tier=tier,
        by=asked.by,
        via=told.via,
        policy_version=ports.policy.version,
        incident_kind=asked.kind,
    )
    return await _given(signal, uuid.uuid5(signal.id, "incident"), ports, giver)


@router.get("/incidents/{number}")
async def show(incident: TheIncident, ports: Ports) -> api.IncidentView:
    """One incident."""
    return api.IncidentView.of(incident, await _ticket(incident, ports))


async def _ticket(incident: Incident, ports: WebPorts) -> Ticket | None:
    return (await ports.reads.tickets([incident.id])).get(incident.id)


@router.get("/incidents/{number}/timeline")
async def timeline(incident: TheIncident, ports: Ports) -> list[api.TimelineEntry]:
    """Everything that was decided about it, in order: the audit trail."""
    return [api.TimelineEntry.of(logged) for logged in await ports.reads.timeline(incident.id)]


@router.get("/incidents/{number}/explain")
async def explain_incident(incident: TheIncident, ports: Ports) -> api.Explanation:
    """Why it is what it is: which rules spoke, what they saw, under which policy."""
    policy = await ports.policies.of(incident.policy_version)
    reasons = explain(incident, await ports.reads.timeline(incident.id), policy)
    return api.Explanation.of(incident, policy.name, reasons, await _ticket(incident, ports))


@router.get("/incidents/{number}/deliveries")
async def incident_deliveries(incident: TheIncident, ports: Ports) -> list[api.DeliveryView]:
    """What was sent because of it, newest first."""
    return [api.DeliveryView.of(row) for row in await ports.reads.deliveries(incident.id, 1000)]


@router.get("/incidents/{number}/deadlines")
async def incident_deadlines(incident: TheIncident, ports: Ports) -> list[api.DeadlineView]:
    """Its ledger of deadlines, with how each ended."""
    return [api.DeadlineView.of(row) for row in await ports.reads.deadlines(incident.id, 1000)]


class Order:
    """A command about the incident of the path; its fields are those of the signal that it becomes."""

    def __init__(self, incident: TheIncident, told: Told, ports: Ports, giver: Giver) -> None:
        self.incident, self.told, self.ports, self.giver = incident, told, ports, giver

    async def give(
        self, kind: Callable[..., Signal], asked: requests.Command, **more: object
    ) -> api.CommandAnswer | Response:
        """What it led to, or that it is kept. `more` are fields that nobody sends."""
        about = self.incident
        return await self.given(
            kind(id=self.told.id, key=about.key, incident_id=about.id, via=self.told.via, **dict(asked), **more)
        )

    async def given(self, signal: Signal) -> api.CommandAnswer | Response:
        """The same for a signal that is ready."""
        return await _given(signal, self.incident.id, self.ports, self.giver)


TheOrder = Annotated[Order, Depends()]


@router.post("/incidents/{number}/acknowledge", response_model=api.CommandAnswer, responses=LATER)
async def acknowledge(order: TheOrder, asked: requests.Command | None = None) -> api.CommandAnswer | Response:
    """Somebody takes it; the escalation stops."""
    return await order.give(AcknowledgeRequested, asked or requests.Command())


@router.post("/incidents/{number}/escalate", response_model=api.CommandAnswer, responses=LATER)
async def escalate(order: TheOrder, asked: requests.Escalate | None = None) -> api.CommandAnswer | Response:
    """Pages the next level, or the named one, now; nothing where another has done so in the same moment."""
    asked = asked or requests.Escalate()
    policy = await order.ports.policies.of(order.incident.policy_version)
    names = [level.name for level in policy.chain(order.incident.service, order.incident.chain).levels]
    if asked.level is not None and asked.level not in names:
        raise Problem(
            422, f"level: this incident's policy has no level {asked.level!r}", f"It has: {', '.join(names)}."
        )
    return await order.give(EscalateRequested, asked, asked_at=await order.ports.reads.now())


@router.post("/incidents/{number}/resolve", response_model=api.CommandAnswer, responses=LATER)
async def resolve(order: TheOrder, asked: requests.Resolve | None = None) -> api.CommandAnswer | Response:
    """Ends it."""
    return await order.give(ResolveRequested, asked or requests.Resolve())


@router.post("/incidents/{number}/updates", response_model=api.CommandAnswer, responses=LATER)
async def update(order: TheOrder, asked: requests.Update) -> api.CommandAnswer | Response:
    """Tells where things stand; also on the status page, for an incident that is there."""
    return await order.give(UpdateRequested, asked)


@router.post("/incidents/{number}/severity", response_model=api.CommandAnswer, responses=LATER)
async def change_severity(order: TheOrder, asked: requests.ChangeSeverity) -> api.CommandAnswer | Response:
    """Up or down, recorded with who and why. POLICY 6."""
    return await order.give(SeverityRequested, asked)


async def _given(
    signal: Signal, incident_id: uuid.UUID, ports: WebPorts, giver: Commands
) -> api.CommandAnswer | Response:
    handled = await giver.give(topics.SIGNALS, signal)
    incident = await ports.reads.incident_by_id(incident_id) if handled else None
    if handled is None or incident is None:
        return later(signal.id)
    view = api.IncidentView.of(incident, await _ticket(incident, ports))
    recording = _only_recorded(incident, ports)
    return api.CommandAnswer(changed=handled.changed, signal_id=signal.id, incident=view, recording=recording)


def _only_recorded(incident: Incident, ports: WebPorts) -> bool:
    sent = [
        PageFacts(page.ordinal, page.level, page.routing_key, "", email=page.email, webhook=page.webhook)
        for page in incident.current_pages
        if page.is_sent
    ]
    return bool(sent) and all(page.provider in ports.recording for page in sent)
