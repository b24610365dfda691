"""The receiver of Alertmanager's webhooks: authenticates, limits, stamps, publishes, and only then answers 2xx.

What it answers decides what is lost: 202 means that the broker has the record; 503 makes Alertmanager try again; a body
that can never be read is refused with 400 or 413, loudly: it is kept in the dead letters and opens an incident, because
its alerts would otherwise never page. Never looks into a body further than whether it is a version 4 webhook.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents import dead_letters
from models.alert import read_envelope
from models.records import Unreadable
from models.webhook_record import Stamp, webhook_record
from streams import topics
from streams.web import body
from streams.web.auth import Doors
from streams.web.errors import UNAVAILABLE, Problem, unavailable
from streams.web.metrics import WebMetrics
from streams.web.ports import WebPorts
from streams.web.publishing import Crowded, Publishing

log = logging.getLogger(__name__)

PATH: Final = "/webhooks/alertmanager"
BODY_LIMIT: Final = 10 * 1024 * 1024
"""Agrees with streams.topics.MAX_RECORD_BYTES."""
KEPT_OF_TOO_LARGE: Final = dead_letters.KEPT_OF_TOO_LARGE
BODIES_LIMIT: Final = 128 * 1024 * 1024
"""Memory for bodies that are being received or published."""
AT_ONCE: Final = 512
_FIELDS: Final = frozenset({"version", "groupKey", "status", "alerts"})
_AGAIN: Final = {"Retry-After": "2"}
_CLOSE: Final = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    reason: str
    kept: bytes
    about: str
    """A class of reasons, for the metrics."""


class Receiver:
    """An ASGI application for one path; kept apart from FastAPI because every alert comes through here."""

    def __init__(self, ports: WebPorts, doors: Doors, metrics: WebMetrics) -> None:
        self._doors = doors
        self._metrics = metrics
        self._clock = ports.clock
        self._publishing = Publishing(ports.publish, AT_ONCE)
        self._room = body.Room(BODIES_LIMIT)
        self._burial = dead_letters.Burial(
            topics.DEAD_LETTERS, topics.SIGNALS, ports.policy.policy, ports.policy.version
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except body.Disconnected:
            return
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] != "POST":
            raise Problem(
                405, "webhooks are sent with POST", "Point an Alertmanager receiver here.", headers={"Allow": "POST"}
            )
        sender = self._admit(scope)
        try:
            content = await body.read_body(receive, BODY_LIMIT, self._room)
        except body.TooLarge as error:
            await body.discard(receive)
            reason = f"the body is larger than {BODY_LIMIT // 1024**2} MiB"
            raise await self._refuse(sender, _Refusal(413, reason, error.start[:KEPT_OF_TOO_LARGE], "size")) from None
        except body.SlowBody:
            raise self._failed(sender, "the body did not arrive in time") from None
        except body.NoRoom:
            raise self._failed(sender, "too many webhooks are on their way already") from None
        return await self._take(sender, content)

    def _admit(self, scope: Scope) -> str:
        client = scope["client"][0] if scope.get("client") else "an unknown address"
        try:
            return self._doors.admit(Headers(scope=scope), client)
        except Problem:
            self._metrics.denied.labels("webhooks").inc()
            raise

    async def _take(self, sender: str, content: bytes) -> Response:
        settled = partial(self._room.give_back, len(content))
        try:
            envelope = read_envelope(content)
        except Unreadable as error:
            settled()
            field = str(error).partition(":")[0].partition(".")[0]
            about = field if field in _FIELDS else "json"
            raise await self._refuse(sender, _Refusal(400, str(error), content, about)) from None
        stamp = Stamp(uuid.uuid4(), sender, self._clock())
        record = webhook_record(topics.WEBHOOKS, stamp, envelope.groupKey, content)
        try:
            await self._publishing.send([record], settled)
        except Unreadable:
            reason = "the body is larger than the broker takes"
            raise await self._refuse(sender, _Refusal(413, reason, content[:KEPT_OF_TOO_LARGE], "size")) from None
        except Crowded as error:
            raise self._failed(sender, str(error)) from None
        except UNAVAILABLE as error:
            raise self._failed(sender, "the broker does not take the webhook", error) from None
        self._metrics.webhooks.labels(sender, "accepted").inc()
        return Response(b'{"webhook_id":"%s"}' % str(stamp.webhook_id).encode(), 202, media_type="application/json")

    async def _refuse(self, sender: str, refusal: _Refusal) -> Problem:
        """The answer to what can never be read, once it is kept; 503 while it cannot be kept."""
        letter_id, at = uuid.uuid4(), self._clock()
        records = dead_letters.refuse(
            topics.WEBHOOKS, sender, refusal.kept, refusal.reason, at, letter_id, self._burial
        )
        try:
            await self._publishing.send(records)
        except Crowded as error:
            return self._failed(sender, str(error))
        except UNAVAILABLE as error:
            return self._failed(sender, "the broker does not take a refused webhook", error)
        self._metrics.webhooks.labels(sender, "refused").inc()
        self._metrics.refused.labels(refusal.about).inc()
        log.warning("refused a webhook of %s: %s; kept as dead letter %s", sender, refusal.reason, letter_id)
        hint = f"An Alertmanager webhook (version 4) is expected. This one is kept as dead letter {letter_id}."
        return Problem(refusal.status, refusal.reason, hint, headers=_CLOSE if refusal.status == 413 else {})

    def _failed(self, sender: str, what: str, error: BaseException | None = None) -> Problem:
        self._metrics.webhooks.labels(sender, "unavailable").inc()
        if error is not None:
            return unavailable(what, error)
        return Problem(503, what, "Nothing was accepted. Send it again.", headers={**_AGAIN, **_CLOSE})
