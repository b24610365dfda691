"""Commands of people: each becomes a signal, and its giver waits for what the lifecycle (or the review) made of it.

Writes nothing itself, so a command is as durable and as idempotent as any other signal.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated, Final, Literal

from fastapi import Depends, Header, Request
from starlette.responses import JSONResponse

from models.maintenance_signals import MaintenanceSignal
from models.records import Outgoing, Unreadable
from models.review import ActionItem
from models.review_signals import ReviewSignal
from models.signals import Signal, encode_signal
from models.state import Incident
from models.store.rows import Handled, ReviewOf
from streams.web.api_models import Accepted
from streams.web.errors import Problem
from streams.web.ports import WebPorts
from streams.web.publishing import Crowded, Publishing

AT_ONCE: Final = 64
WAIT: Final = 5.0
"""Seconds that the giver of a command waits for its outcome."""
FORGET_AFTER: Final = 600.0
"""Seconds for which a command that nobody has handled counts as a sign that no worker gets on."""
_POLLS: Final = (0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2)
"""Seconds between looks; the last one repeats."""
_IDEMPOTENCY: Final = uuid.UUID("7a1c9e2e-8b1f-5f39-9d10-1d0f5c8c2a44")


class Commands:
    """Sends signals and waits for their outcome."""

    def __init__(self, ports: WebPorts, wait: float = WAIT) -> None:
        self._reads = ports.reads
        self._publishing = Publishing(ports.publish, AT_ONCE)
        self._monotonic = ports.monotonic
        self._wait = wait
        self._waiting: tuple[uuid.UUID, float] | None = None
        """The last signal that was not handled in time, and since when, until one is again."""

    async def give(self, topic: str, signal: Signal | ReviewSignal | MaintenanceSignal) -> Handled | None:
        """The outcome; None when it takes longer than one should wait for it."""
        known = await self._reads.handled(signal.id)
        if known is not None:
            return known
        await self.publish([Outgoing(topic, signal.key.encode(), encode_signal(signal))])
        return await self.outcome(signal.id)

    async def publish(self, records: list[Outgoing]) -> None:
        """Returns once the broker has them. Raises Problem and UNAVAILABLE."""
        try:
            await self._publishing.send(records)
        except Unreadable:
            raise Problem(413, "the command is larger than the broker takes", "Say less.") from None
        except Crowded as error:
            raise Problem(503, str(error), "Send it again.", headers={"Retry-After": "5"}) from None

    async def outcome(self, signal_id: uuid.UUID) -> Handled | None:
        """Of a signal that was published; None when it takes longer than one should wait for it."""
        loop = asyncio.get_running_loop()
        until, looks = loop.time() + self._wait, 0
        while loop.time() < until:
            if (handled := await self._reads.handled(signal_id)) is not None:
                self._waiting = None
                return handled
            await asyncio.sleep(_POLLS[min(looks, len(_POLLS) - 1)])
            looks += 1
        self._waiting = signal_id, self._monotonic()
        return None

    async def waits(self) -> bool:
        """Whether a command that was not handled in time still is not: no worker runs, or none gets on. One that can
        never be (it became a dead letter, which opens an incident) is forgotten after FORGET_AFTER.
        """
        if self._waiting is None:
            return False
        signal_id, since = self._waiting
        if self._monotonic() - since > FORGET_AFTER or await self._reads.handled(signal_id):
            self._waiting = None
        return self._waiting is not None


def later(signal_id: uuid.UUID) -> JSONResponse:
    """202: it is durable, but nobody has handled it yet."""
    hint = "It is kept and will be handled. Is a worker running? `tocsin doctor` and /health/ready say."
    return JSONResponse(Accepted(signal_id=signal_id, hint=hint).model_dump(mode="json"), 202)


def _ports(request: Request) -> WebPorts:
    ports: WebPorts = request.app.state.ports
    return ports


def _commands(request: Request) -> Commands:
    commands: Commands = request.app.state.commands
    return commands


Ports = Annotated[WebPorts, Depends(_ports)]
Giver = Annotated[Commands, Depends(_commands)]


class CommandId:
    """Where a command comes from, and its signal's id: derived from its Idempotency-Key, else new."""

    def __init__(
        self,
        request: Request,
        idempotency_key: Annotated[
            str | None, Header(max_length=255, description="Repeats of a key change nothing.")
        ] = None,
        x_tocsin_via: Annotated[Literal["api", "cli"], Header(include_in_schema=False)] = "api",
    ) -> None:
        self.via: Literal["api", "cli"] = x_tocsin_via
        path = request.url.path.upper()
        self.id = uuid.uuid5(_IDEMPOTENCY, f"{path}\n{idempotency_key}") if idempotency_key else uuid.uuid4()


Told = Annotated[CommandId, Depends()]


async def incident_of(number: str, ports: Ports) -> Incident:
    """The incident that people call `number`. Raises Problem."""
    incident = await ports.reads.incident_by_number(number.upper()) if "\0" not in number else None
    if incident is None:
        raise Problem(404, f"there is no incident {number[:60]!r}", "GET /api/v1/incidents lists them.")
    return incident


async def _action_item(item_id: uuid.UUID, ports: Ports) -> ReviewOf:
    item = await ports.reads.action_item(item_id)
    if item is None or not isinstance(item.what, ActionItem):
        raise Problem(404, f"there is no action item {item_id}", "GET /api/v1/action-items lists them.")
    return item


TheIncident = Annotated[Incident, Depends(incident_of)]
TheActionItem = Annotated[ReviewOf, Depends(_action_item)]
