"""The API's test pages: a level of a chain is paged for real, as it would be now, marked as a test."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import replace

from fastapi import APIRouter, Depends

from models import paging
from models.deliveries import Delivery, DeliveryKind, Message, PageFacts, Urgency
from models.escalation_rules import DEFAULT, EscalationLevel
from models.policy import Policy
from models.records import Outgoing
from streams.web import api_models as api
from streams.web import api_requests as requests
from streams.web.api import API_ERRORS, authorise
from streams.web.commands import Giver, Ports, Told
from streams.web.errors import Problem

router = APIRouter(prefix="/api/v1", dependencies=[Depends(authorise)], responses=API_ERRORS)


@router.post("/pages/test", tags=["operations"], status_code=202)
async def page_test(
    told: Told, ports: Ports, giver: Giver, asked: requests.PageTest | None = None
) -> api.PageTestAnswer:
    """Pages everybody of a level who has a pager. GET /api/v1/deliveries/{id} says how it went."""
    asked = asked or requests.PageTest()
    policy = ports.policy.policy
    name = _chain(asked, policy)
    level = _level(asked.level, name, policy)
    known = await ports.calendars(policy)
    present = policy.with_calendars({one: it.calendar for one, it in known.items() if it.calendar})
    now = await ports.reads.now()
    found = paging.reached(level, asked.service or "", present, now)
    paged = [one for one in found.recipients if one.is_sent]
    if not paged:
        slack = [f"{' and '.join(one.people) or one.slack} is reached in Slack alone" for one in found.recipients]
        why = "; ".join((*found.lacking, *slack)) or "nobody is in it"
        raise Problem(422, f"level: {level.name} pages nobody now: {why}", "Give them a routing key in the policy.")
    facts = [
        PageFacts(1, level.name, one.routing_key, "", test=True, email=one.email, webhook=one.webhook, asked_at=now)
        for one in paged
    ]
    sent = [_delivery(told.id, place, one, asked.by) for place, one in enumerate(facts)]
    for delivery in sent:
        if await ports.reads.delivery(delivery.id) is None:
            await ports.enqueue(delivery)
    providers = {delivery.provider for delivery in sent}
    await giver.publish([Outgoing(f"deliveries.{provider}", sent[0].lane.encode(), b"") for provider in providers])
    return api.PageTestAnswer(
        delivery_id=told.id,
        delivery_ids=[delivery.id for delivery in sent],
        chain=name,
        level=level.name,
        whom=[", ".join(one.people) or page.whom for one, page in zip(paged, facts, strict=True)],
        recording=providers <= set(ports.recording),
    )


def _chain(asked: requests.PageTest, policy: Policy) -> str:
    """The chain by its name, or that of a service. Raises Problem."""
    name = asked.chain
    if asked.service is not None:
        if asked.service not in policy.services:
            raise _unknown("service", "the catalogue", asked.service, policy.services)
        theirs = policy.services[asked.service].escalation
        if name not in {None, theirs}:
            raise Problem(422, f"chain: {asked.service} has the chain {theirs!r}", "Give the service or the chain.")
        name = theirs
    name = name or DEFAULT
    if name not in policy.chains:
        raise _unknown("chain", "the policy", name, policy.chains)
    return name


def _level(asked: str | None, chain: str, policy: Policy) -> EscalationLevel:
    levels = {level.name: level for level in policy.chains[chain].levels}
    level = levels.get(asked or next(iter(levels)))
    if level is None:
        where = "the policy" if chain == DEFAULT else f"the chain {chain!r}"
        raise _unknown("level", where, asked or "", levels)
    return level


def _unknown(what: str, where: str, name: str, known: Collection[str]) -> Problem:
    names = list(known)
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return Problem(422, f"{what}: {where} has no {what} {name!r}", f"It has: {listed or 'none'}.")


def _delivery(test_id: uuid.UUID, place: int, page: PageFacts, by: str) -> Delivery:
    delivery_id = uuid.uuid5(test_id, str(place)) if place else test_id
    dedup_key = f"test/{delivery_id}"
    return Delivery(
        id=delivery_id,
        incident_id=None,
        incident_key=dedup_key,
        kind=DeliveryKind.PAGE,
        lane=dedup_key,
        urgency=Urgency.PAGE,
        page=replace(page, dedup_key=dedup_key),
        message=Message(f"A test page of Tocsin to {page.level}, asked for by {by}.", by=by),
    )
