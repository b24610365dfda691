"""PagerDuty's webhooks (v3): an acknowledgement in its app stops our escalation, a person's resolve ends our incident.

Trusts a body only by its signature. Whatever is signed and not for us is answered 200, because PagerDuty drops an event
over any 4xx and disables the subscription for a day over three. Never answers later than PagerDuty's five seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import uuid
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr, ValidationError
from starlette.responses import JSONResponse, Response

from models.records import Outgoing
from models.signals import AcknowledgeRequested, ResolveRequested, encode_signal
from models.state import Incident
from streams import topics
from streams.web.commands import Commands
from streams.web.errors import UNAVAILABLE, Problem, unavailable
from streams.web.ports import WebPorts

log = logging.getLogger(__name__)

PATH: Final = "/webhooks/pagerduty"
_WITHIN: Final = 4.5
_EVENTS: Final = uuid.UUID("5a0f6c55-92a1-5c0e-8a0c-6d3c1f0b7e21")
"""Of the signals' ids, which derive from the event's: the id in the header is not signed."""
_BY_PERSON: Final = "user_reference"
_BY_MACHINE: Final = ("integration", "service")
"""In the type of an agent: what our own Events API calls come back as."""


class _Agent(BaseModel):
    type: str = ""
    summary: str | None = None


class _Incident(BaseModel):
    incident_key: str | None = None


class _Event(BaseModel):
    id: str
    event_type: str
    agent: _Agent | None = None
    data: _Incident


class _Webhook(BaseModel):
    event: _Event


router = APIRouter(include_in_schema=False)


@router.post(PATH)
async def receive(request: Request) -> Response:
    """200 for what was handed on or is none of our business; 401 for a bad signature; 503 for `again, later`."""
    ports: WebPorts = request.app.state.ports
    commands: Commands = request.app.state.commands
    body = await request.body()
    if not signed(body, request.headers.get("x-pagerduty-signature", ""), ports.settings.pagerduty_webhook_secret):
        request.app.state.metrics.denied.labels("pagerduty").inc()
        log.warning("refused a PagerDuty webhook whose signature fits no secret of TOCSIN_PAGERDUTY_WEBHOOK_SECRET")
        raise Problem(
            401, "the signature is not valid", "Set TOCSIN_PAGERDUTY_WEBHOOK_SECRET to the subscription's secret."
        )
    try:
        event = _Webhook.model_validate_json(body).event
    except ValidationError:
        log.warning("a signed PagerDuty webhook is not one of version 3; ignored")
        return _ignored("not a version 3 webhook about an incident")
    try:
        async with asyncio.timeout(_WITHIN):
            return await _hand_on(event, ports, commands)
    except UNAVAILABLE as error:
        raise unavailable("broker or database does not answer", error) from None


def signed(body: bytes, signatures: str, secrets: Sequence[SecretStr]) -> bool:
    """True when one of the comma-separated `v1=…` signatures fits one of the secrets; several while one is replaced."""
    given = [signature.strip().encode(errors="replace") for signature in signatures.split(",")][:10]
    expected = [
        b"v1=" + hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest().encode()
        for secret in secrets
    ]
    return any([hmac.compare_digest(one, other) for one in given for other in expected])  # noqa: C419 (compares them all)


async def _hand_on(event: _Event, ports: WebPorts, commands: Commands) -> Response:
    incident = await _ours(event, ports)
    if incident is None:
        return _ignored("not a page of ours")
    signal_id = uuid.uuid5(_EVENTS, event.id)
    agent = event.agent or _Agent()
    by = (agent.summary or "somebody").replace("\0", "")[:100]
    signal: AcknowledgeRequested | ResolveRequested
    if (
        event.event_type == "incident.acknowledged"
        and agent.type
        and not any(kind in agent.type for kind in _BY_MACHINE)
    ):
        signal = AcknowledgeRequested(id=signal_id, key=incident.key, incident_id=incident.id, by=by, via="pagerduty")
    elif event.event_type == "incident.resolved" and agent.type == _BY_PERSON:
        note = f"Resolved in PagerDuty by {by}."
        signal = ResolveRequested(
            id=signal_id, key=incident.key, incident_id=incident.id, by=by, via="pagerduty", note=note
        )
    else:
        return _ignored("an event that changes nothing here")
    await commands.publish([Outgoing(topics.SIGNALS, signal.key.encode(), encode_signal(signal))])
    log.info("PagerDuty: %s of %s by a person", event.event_type, incident.number)
    return JSONResponse({"signal_id": str(signal_id)})


async def _ours(event: _Event, ports: WebPorts) -> Incident | None:
    """The incident that the event's key names: `<incident id>/<ordinal of the page>`."""
    incident_id, _, ordinal = (event.data.incident_key or "").partition("/")
    if not (ordinal.isascii() and ordinal.isdigit()):
        return None
    try:
        return await ports.reads.incident_by_id(uuid.UUID(incident_id))
    except ValueError:
        return None


def _ignored(reason: str) -> Response:
    return JSONResponse({"ignored": reason})
