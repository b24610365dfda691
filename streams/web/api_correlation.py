# ruff: noqa: FAST003 (a dependency takes the path parameter)
"""The API of which incidents belong together: merge, split, freeze, under /api/v1. POLICY 7."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from models.signals import FreezeRequested, MergeRequested, SplitRequested
from streams.web import api_models as api
from streams.web import api_requests as requests
from streams.web.api import API_ERRORS, LATER, TheOrder, authorise
from streams.web.commands import incident_of
from streams.web.errors import Problem

router = APIRouter(prefix="/api/v1", tags=["incidents"], dependencies=[Depends(authorise)], responses=API_ERRORS)


@router.post("/incidents/{number}/merge", response_model=api.CommandAnswer, responses=LATER)
async def merge(order: TheOrder, asked: requests.Merge) -> api.CommandAnswer | Response:
    """Attaches it to another, which pages for both from then on."""
    other = await incident_of(asked.into, order.ports)
    if other.id == order.incident.id:
        raise Problem(422, f"into: {other.number} is this incident itself", "Name the one that it is part of.")
    if not other.is_open:
        raise Problem(422, f"into: {other.number} is resolved", "Only an open incident can page for another.")
    if other.parent is not None:
        raise Problem(422, f"into: {other.number} is attached to {other.attached_to}", "Merge into that one.")
    told = order.told
    signal = MergeRequested(
        id=told.id, key=order.incident.key, incident_id=order.incident.id, via=told.via, by=asked.by, parent=other.key
    )
    return await order.given(signal)


@router.post("/incidents/{number}/split", response_model=api.CommandAnswer, responses=LATER)
async def split(order: TheOrder, asked: requests.Command | None = None) -> api.CommandAnswer | Response:
    """Takes it out of what it is attached to: it pages for itself."""
    return await order.give(SplitRequested, asked or requests.Command())


@router.post("/incidents/{number}/freeze", response_model=api.CommandAnswer, responses=LATER)
async def freeze(order: TheOrder, asked: requests.Freeze | None = None) -> api.CommandAnswer | Response:
    """It takes no more alerts: new ones open an incident beside it."""
    return await order.give(FreezeRequested, asked or requests.Freeze())
