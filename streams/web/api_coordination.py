# ruff: noqa: FAST003 (a dependency takes the path parameter)
"""The API of working together on an incident: roles, its checklist and its policy, under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from models import ticks
from models.signals import ChecklistTickRequested, ReassignRequested, RoleRequested
from streams.web import api_models as api
from streams.web import api_requests as requests
from streams.web.api import API_ERRORS, LATER, TheOrder, authorise
from streams.web.commands import Ports, TheIncident
from streams.web.errors import Problem

router = APIRouter(prefix="/api/v1", tags=["incidents"], dependencies=[Depends(authorise)], responses=API_ERRORS)


class StepView(BaseModel):
    number: int
    phase: str
    text: str
    ticked_by: str | None


class ChecklistView(BaseModel):
    """What is to be done in this kind of incident, and who did it. `name` is null where the kind has no checklist."""

    number: str
    kind: str
    name: str | None
    done: int
    steps: list[StepView]


@router.post("/incidents/{number}/roles", response_model=api.CommandAnswer, responses=LATER)
async def assign(order: TheOrder, asked: requests.AssignRole) -> api.CommandAnswer | Response:
    """Gives a role to a person, or takes it back; announced in Slack. POLICY 15."""
    return await order.give(RoleRequested, asked)


@router.post("/incidents/{number}/policy", response_model=api.CommandAnswer, responses=LATER)
async def reassign(order: TheOrder, asked: requests.Reassign | None = None) -> api.CommandAnswer | Response:
    """Gives the incident the policy in force now, or another chain of it; whoever is paged already is not again."""
    asked, present = asked or requests.Reassign(), order.ports.policy
    if asked.chain is not None and asked.chain not in present.policy.chains:
        listed = ", ".join(present.policy.chains)
        raise Problem(422, f"chain: the policy has no chain {asked.chain!r}", f"It has: {listed}.")
    return await order.give(ReassignRequested, asked, policy_version=present.version)


@router.get("/incidents/{number}/checklist")
async def checklist(incident: TheIncident, ports: Ports) -> ChecklistView:
    """The checklist that the incident's own policy has for its kind. POLICY 20."""
    known = ticks.progress(incident, await ports.policies.of(incident.policy_version))
    ticked = known.ticked if known else {}
    steps = [
        StepView(number=step.number, phase=step.phase, text=step.text, ticked_by=ticked.get(step.number))
        for step in (known.steps if known else ())
    ]
    return ChecklistView(
        number=incident.number,
        kind=incident.kind,
        name=known.name if known else None,
        done=len(ticked),
        steps=steps,
    )


@router.post("/incidents/{number}/checklist", response_model=api.CommandAnswer, responses=LATER)
async def tick(order: TheOrder, asked: requests.TickStep) -> api.CommandAnswer | Response:
    """Ticks a step off, or takes that back; also after the incident was resolved."""
    known = ticks.progress(order.incident, await order.ports.policies.of(order.incident.policy_version))
    count = len(known.steps) if known else 0
    if asked.step > count:
        has = f"Its steps are 1 to {count}." if count else "Its kind has no checklist in the policy."
        raise Problem(422, f"step: {order.incident.number} has no step {asked.step}", has)
    return await order.give(ChecklistTickRequested, asked)
