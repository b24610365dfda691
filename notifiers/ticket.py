"""Tickets: one POST of JSON for each thing that happens to an incident, to whatever address a team has for it.

The other side opens a ticket and says its id; what follows names it. Every call carries the delivery's id as its
Idempotency-Key, which is what stands in for reading back: a repetition opens no second ticket. One attempt per call.
docs/tickets.md is what is promised to the other side.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import httpx

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Receipts, Refused, RetryLater
from notifiers.escape import plain, safe_url
from notifiers.payloads import ticket
from notifiers.post import Poster, asks_a_person, is_here, not_taken, out_of_reach
from notifiers.render import Payload, TemplateFault

_CREDENTIALS_BACKOFF: Final = timedelta(minutes=5)
_LARGEST: Final = 100_000
"""Bytes of an answer that are read; an id and an address are a few."""
_WHO: Final = "the ticket system"


class TicketNotifier:
    """Posts to `url`. One attempt may take `timeout`."""

    provider = Provider.TICKET
    recording = False

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        """Raises ValueError for an address that is neither https nor on loopback: a token goes there."""
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._poster = Poster(here=is_here(url, "TOCSIN_TICKET_URL"), tls=tls, timeout=timeout)

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port."""
        if delivery.provider is not Provider.TICKET:
            return Refused(f"a {delivery.kind} is no matter for a ticket")
        try:
            outcome = await self._post(delivery, ticket(delivery, receipts))
        except TemplateFault as fault:
            return Refused(str(fault))
        # An attempt that got nowhere says nothing about the one before it.
        return replace(outcome, unknown=True) if read_back and isinstance(outcome, RetryLater) else outcome

    async def check(self) -> str | None:
        """See the port. Asks for nothing but an answer: what a POST would do is not ours to try."""
        try:
            status = await self._poster.options(self._url, self._headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return out_of_reach(error, _WHO).reason
        if status in {401, 403, 407} or status >= 500:
            return f"the ticket system answered {status}; check TOCSIN_TICKET_URL and TOCSIN_TICKET_TOKEN"
        return None

    async def close(self) -> None:
        """See the port."""
        await self._poster.close()

    async def _post(self, delivery: Delivery, payload: Payload) -> Outcome:
        headers = {**self._headers, "Idempotency-Key": str(delivery.id)}
        try:
            answer, body = await self._poster.post(self._url, payload, headers, most=_LARGEST)
        except (httpx.HTTPError, TimeoutError) as error:
            return out_of_reach(error, _WHO)
        if asks_a_person(answer):
            reason = f"{_WHO} answered {answer.status_code}; check TOCSIN_TICKET_URL and TOCSIN_TICKET_TOKEN"
            return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
        return _taken(delivery, body) if answer.is_success else not_taken(answer, _WHO)


def _taken(delivery: Delivery, body: bytes) -> Outcome:
    """A yes is an empty answer or a JSON object; anything else is somebody other than the ticket system."""
    try:
        said = json.loads(body) if body.strip() else {}
    except ValueError:
        said = None
    if not isinstance(said, dict):
        reason = "the ticket system answered yes, but with something that is no JSON object; check TOCSIN_TICKET_URL"
        return RetryLater(reason, unknown=True, provider_down=True)
    receipts = _receipts(said)
    happened = {DeliveryKind.TICKET: "opened", DeliveryKind.TICKET_UPDATE: "updated"}.get(delivery.kind, "resolved")
    named = " ".join(filter(None, ("ticket", receipts.get("ticket"), happened)))
    return Delivered(f"{named}: {receipts['ticket_url']}" if "ticket_url" in receipts else named, receipts)


def _receipts(said: dict[str, Any]) -> Receipts:
    number, url = said.get("id"), said.get("url")
    found: dict[str, str] = {}
    if isinstance(number, str | int) and not isinstance(number, bool) and plain(number, 200):
        found["ticket"] = plain(number, 200)
    if isinstance(url, str) and (address := safe_url(url)):
        found["ticket_url"] = address
    return found
