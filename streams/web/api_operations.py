# ruff: noqa: FAST003 (a dependency takes the path parameter)
"""The API beside incidents: reviews, deliveries, deadlines and the policy, under /api/v1."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from models.review import ActionItem
from models.review_signals import ActionItemCompleted, ActionItemRequested, PostmortemCompleted
from streams import topics
from streams.web import api_models as api
from streams.web import api_requests as requests
from streams.web.api import API_ERRORS, LATER, authorise
from streams.web.commands import Giver, Ports, TheActionItem, TheIncident, Told, later
from streams.web.errors import Problem
from streams.web.review_models import ActionItemAnswer, ActionItemView, PostmortemAnswer, PostmortemView

router = APIRouter(prefix="/api/v1", dependencies=[Depends(authorise)], responses=API_ERRORS)


@router.get("/postmortems", tags=["reviews"])
async def list_postmortems(
    ports: Ports, status: Literal["open", "suspended", "completed"] | None = None
) -> list[PostmortemView]:
    """What is owed, and what was held. POLICY 22."""
    owed = [PostmortemView.of(owed) for owed in await ports.reads.postmortems()]
    return [postmortem for postmortem in owed if status in {None, postmortem.status}]


@router.post(
    "/incidents/{number}/postmortem/complete", tags=["reviews"], response_model=PostmortemAnswer, responses=LATER
)
async def complete_postmortem(
    incident: TheIncident, asked: requests.CompletePostmortem, told: Told, ports: Ports, giver: Giver
) -> PostmortemAnswer | Response:
    """It was held, and written down at `url`."""
    if all(owed.incident_id != incident.id for owed in await ports.reads.postmortems()):
        raise Problem(404, f"{incident.number} has no postmortem", "The policy asks for one when an incident resolves.")
    signal = PostmortemCompleted(
        id=told.id, key=str(incident.id), incident_id=incident.id, by=asked.by, via=told.via, url=asked.url
    )
    handled = await giver.give(topics.REVIEW_SIGNALS, signal)
    owed = [owed for owed in await ports.reads.postmortems() if handled and owed.incident_id == incident.id]
    if handled is None or not owed:
        return later(signal.id)
    return PostmortemAnswer(changed=handled.changed, signal_id=signal.id, postmortem=PostmortemView.of(owed[0]))


@router.get("/action-items", tags=["reviews"])
async def list_action_items(
    ports: Ports,
    status: Literal["open", "done"] | None = None,
    owner: Annotated[str | None, Query(max_length=100)] = None,
) -> list[ActionItemView]:
    """Of all incidents. POLICY 24."""
    items = [ActionItemView.of(owed) for owed in await ports.reads.action_items(None)]
    return [
        item
        for item in items
        if owner in {None, item.owner} and (status is None or (status == "done") == (item.done_at is not None))
    ]


@router.get("/incidents/{number}/action-items", tags=["reviews"])
async def incident_action_items(incident: TheIncident, ports: Ports) -> list[ActionItemView]:
    """Of one incident."""
    return [ActionItemView.of(owed) for owed in await ports.reads.action_items(incident.id)]


@router.post(
    "/incidents/{number}/action-items",
    tags=["reviews"],
    status_code=201,
    response_model=ActionItemAnswer,
    responses=LATER,
)
async def add_action_item(
    incident: TheIncident, asked: requests.AddActionItem, told: Told, ports: Ports, giver: Giver
) -> ActionItemAnswer | Response:
    """Somebody owes something; its owner is reminded before it is due and while it is overdue. POLICY 24."""
    signal = ActionItemRequested(
        id=told.id,
        key=str(incident.id),
        incident_id=incident.id,
        by=asked.by,
        via=told.via,
        number=incident.number,
        title=asked.title,
        owner=asked.owner,
        due_at=asked.due_at,
        priority=asked.priority,
        policy_version=ports.policy.version,
    )
    handled = await giver.give(topics.REVIEW_SIGNALS, signal)
    item = await ports.reads.action_item(uuid.uuid5(signal.id, "action-item")) if handled else None
    if handled is None or item is None:
        return later(signal.id)
    return ActionItemAnswer(changed=handled.changed, signal_id=signal.id, action_item=ActionItemView.of(item))


@router.post("/action-items/{item_id}/complete", tags=["reviews"], response_model=ActionItemAnswer, responses=LATER)
async def complete_action_item(
    item: TheActionItem, told: Told, ports: Ports, giver: Giver, asked: requests.Command | None = None
) -> ActionItemAnswer | Response:
    """It was done."""
    assert isinstance(item.what, ActionItem)
    signal = ActionItemCompleted(
        id=told.id,
        key=str(item.incident_id),
        incident_id=item.incident_id,
        by=(asked or requests.Command()).by,
        via=told.via,
        item_id=item.what.id,
    )
    handled = await giver.give(topics.REVIEW_SIGNALS, signal)
    after = await ports.reads.action_item(item.what.id) if handled else None
    if handled is None or after is None:
        return later(signal.id)
    return ActionItemAnswer(changed=handled.changed, signal_id=signal.id, action_item=ActionItemView.of(after))


@router.get("/deliveries", tags=["operations"])
async def list_deliveries(ports: Ports, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[api.DeliveryView]:
    """What was sent or is to be sent, newest first."""
    return [api.DeliveryView.of(row) for row in await ports.reads.deliveries(None, limit)]


@router.get("/deliveries/{delivery_id}", tags=["operations"])
async def show_delivery(delivery_id: uuid.UUID, ports: Ports) -> api.DeliveryView:
    """One delivery."""
    row = await ports.reads.delivery(delivery_id)
    if row is None:
        raise Problem(404, f"there is no delivery {delivery_id}", "GET /api/v1/deliveries lists them.")
    return api.DeliveryView.of(row)


@router.get("/deadlines", tags=["operations"])
async def list_deadlines(ports: Ports, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[api.DeadlineView]:
    """Those that are armed, the soonest first."""
    return [api.DeadlineView.of(row) for row in await ports.reads.deadlines(None, limit)]


@router.get("/policy", tags=["operations"])
async def show_policy(ports: Ports) -> dict[str, Any]:
    """The policy that new incidents are opened under."""
    return {"version": ports.policy.version, "policy": ports.policy.policy.model_dump(mode="json")}
