"""Slack's interactions: somebody presses Acknowledge, Escalate or Resolve under an incident's report.

Trusts a body only by its signature, and only for five minutes. Slack waits three seconds and never sends again, so
whoever pressed is told, by the response_url and seen by them alone, what came of it, also when nothing did. Of the
shapes that payloads have it reads `block_actions` of our own buttons; all else that is signed is answered 200.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from models.records import Outgoing
from models.signals import AcknowledgeRequested, EscalateRequested, ResolveRequested, Signal, encode_signal
from models.state import Incident
from streams import topics
from streams.clock import Clock
from streams.web.commands import Commands
from streams.web.errors import UNAVAILABLE, Problem, unavailable
from streams.web.ports import WebPorts

log = logging.getLogger(__name__)

PATH: Final = "/webhooks/slack/interactions"
_WITHIN: Final = 2.5
"""Seconds for everything before the answer. Slack allows three."""
_TOLD_WITHIN: Final = 10.0
"""Seconds until whoever pressed is told."""
_PRESSES: Final = uuid.UUID("0d7f5b0a-6d0c-5b39-9f53-5e2f6f1b8a11")
"""Of the signals' ids, which derive from what is signed."""
_NOT_TAKEN: Final = "Tocsin could not take this in time. Look at the incident, and press again or use the command line."
_UNKNOWN: Final = "This incident is not known here: it belongs to another Tocsin, or is long over."


class _User(BaseModel):
    id: str
    username: str = ""
    name: str = ""


class _Action(BaseModel):
    type: Literal["button"]
    action_id: str
    value: str = ""
    action_ts: str = ""


class _Interaction(BaseModel):
    type: Literal["block_actions"]
    user: _User
    actions: list[_Action] = Field(min_length=1)
    trigger_id: str = ""
    response_url: str = ""


@dataclass(frozen=True, slots=True)
class _Press:
    """One press of a button: on which incident, by whom."""

    id: uuid.UUID
    action: str
    incident_id: uuid.UUID
    by: str
    response_url: str


router = APIRouter(include_in_schema=False)


@router.post(PATH)
async def receive(request: Request) -> Response:
    """200 for what was handed on or is none of our business; 401 for a bad signature; 503 shows a warning in Slack."""
    ports: WebPorts = request.app.state.ports
    commands: Commands = request.app.state.commands
    body = await request.body()
    headers = request.headers
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not signed(body, stamp, signature, ports.settings.slack_signing_secret, ports.clock):
        request.app.state.metrics.denied.labels("slack").inc()
        log.warning("refused a request that Slack has not signed with TOCSIN_SLACK_SIGNING_SECRET in the last minutes")
        hint = "Set TOCSIN_SLACK_SIGNING_SECRET to the app's signing secret, and check this machine's clock."
        raise Problem(401, "the signature is not valid", hint)
    press = _pressed(body, ports)
    if press is None:
        return JSONResponse({"ignored": "no button of ours"})
    try:
        async with asyncio.timeout(_WITHIN):
            return await _hand_on(press, ports, commands)
    except Problem as problem:
        answer = problem.response()
    except UNAVAILABLE as error:
        answer = unavailable("broker or database does not answer", error).response()
    answer.background = BackgroundTask(ports.slack_reply, press.response_url, _NOT_TAKEN)
    return answer


def signed(body: bytes, stamp: str, signature: str, secret: SecretStr | None, clock: Clock) -> bool:
    """True when Slack has signed `body` within five minutes of now; without a secret nothing is."""
    if secret is None or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20 and signature.isascii()):
        return False
    try:
        return SignatureVerifier(secret.get_secret_value(), _Now(clock)).is_valid(body, stamp, signature)
    except UnicodeDecodeError:
        return False


class _Now(SlackClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


def _pressed(body: bytes, ports: WebPorts) -> _Press | None:
    try:
        [payload] = parse_qs(body.decode(), max_num_fields=10).get("payload", [])
        told = _Interaction.model_validate_json(payload)
        action = told.actions[0]
        incident_id = uuid.UUID(action.value)
    except ValueError:  # ValidationError and UnicodeDecodeError among them
        return None
    if action.action_id not in _COMMANDS:
        return None
    people = ports.policy.policy.people.items()
    known = next((name for name, person in people if person.slack == told.user.id), None)
    stranger = told.user.name or told.user.username or told.user.id
    by = known or f"{stranger} (Slack)"  # not to be taken for somebody of the policy
    place = (told.trigger_id, told.user.id, action.action_ts, action.action_id, str(incident_id))
    press_id = uuid.uuid5(_PRESSES, "/".join(place))
    return _Press(press_id, action.action_id, incident_id, by.replace("\0", "")[:100], told.response_url)


async def _hand_on(press: _Press, ports: WebPorts, commands: Commands) -> Response:
    incident = await ports.reads.incident_by_id(press.incident_id)
    if incident is None:
        unknown = JSONResponse({"ignored": "no incident of ours"})
        unknown.background = BackgroundTask(ports.slack_reply, press.response_url, _UNKNOWN)
        return unknown
    signal = _COMMANDS[press.action](press, incident, await ports.reads.now())
    await commands.publish([Outgoing(topics.SIGNALS, signal.key.encode(), encode_signal(signal))])
    log.info("Slack: %s of %s by a person", signal.kind, incident.number)
    answer = JSONResponse({"signal_id": str(signal.id)})
    answer.background = BackgroundTask(_tell, press, incident, ports, commands)
    return answer


def _acknowledge(press: _Press, incident: Incident, _: datetime) -> Signal:
    return AcknowledgeRequested(id=press.id, key=incident.key, incident_id=incident.id, by=press.by, via="slack")


def _escalate(press: _Press, incident: Incident, now: datetime) -> Signal:
    return EscalateRequested(
        id=press.id, key=incident.key, incident_id=incident.id, by=press.by, via="slack", asked_at=now
    )


def _resolve(press: _Press, incident: Incident, _: datetime) -> Signal:
    note = f"Resolved in Slack by {press.by}."
    return ResolveRequested(id=press.id, key=incident.key, incident_id=incident.id, by=press.by, via="slack", note=note)


_COMMANDS: Final[Mapping[str, Callable[[_Press, Incident, datetime], Signal]]] = {
    "tocsin_acknowledge": _acknowledge,
    "tocsin_escalate": _escalate,
    "tocsin_resolve": _resolve,
}
"""By the action_id of the buttons in templates/slack/_parts.j2."""


async def _tell(press: _Press, before: Incident, ports: WebPorts, commands: Commands) -> None:
    """What came of it, once the lifecycle has handled it."""
    try:
        async with asyncio.timeout(_TOLD_WITHIN):
            handled = await commands.outcome(press.id)
            incident = await ports.reads.incident_by_id(before.id)
    except UNAVAILABLE:
        handled = incident = None
    if handled is None or incident is None:
        text = f"Taken, but not handled yet: {before.number} follows as soon as a worker runs."
    else:
        text = f"{'Done' if handled.changed else 'Nothing changed'}: {incident.number} is {_standing(incident)}."
    await ports.slack_reply(press.response_url, text)


def _standing(incident: Incident) -> str:
    match incident.status:
        case "acknowledged":
            return f"acknowledged by {incident.acknowledged_by}"
        case "resolved":
            return f"resolved by {incident.resolved_by}"
        case "triggered":
            paged = f"; {incident.pages[-1].level} was paged last" if incident.pages else ""
            return f"not acknowledged{paged}"
        case _:
            assert_never(incident.status)
