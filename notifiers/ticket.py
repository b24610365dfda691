"""Tickets: one POST of JSON for each thing that happens to an incident, to whatever address a team has for it.

The other side opens a ticket and says its id; what follows names it. Every call carries the delivery's id as its
Idempotency-Key, which is what stands in for reading back: a repetition opens no second ticket. One attempt per call.
docs/tickets.md is what is promised to the other side.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Receipts, Refused, RetryLater
from notifiers.escape import plain, safe_url
from notifiers.render import Payload, TemplateFault, ticket

_CREDENTIALS_BACKOFF: Final = timedelta(minutes=5)
_RATE_BACKOFF: Final = timedelta(seconds=30)
_LARGEST: Final = 100_000
"""Bytes of an answer that are read; an id and an address are a few."""
_NOT_NOW: Final = frozenset({408, 409, 423, 425})
"""409 and 425: the first of two with one Idempotency-Key is still under way."""
_ASK_A_PERSON: Final = frozenset({401, 403, 404, 405, 407})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


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
        parts = urlsplit(url)
        here = parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not here:
            raise ValueError("TOCSIN_TICKET_URL must begin with https:// (plain http is for loopback only)")
        self._url = url
        self._timeout = timeout.total_seconds()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(verify=tls or True, trust_env=not here, timeout=self._timeout)

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
            async with asyncio.timeout(self._timeout):
                answer = await self._client.request("OPTIONS", self._url, headers=self._headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return _out_of_reach(error).reason
        if answer.status_code in {401, 403, 407} or answer.status_code >= 500:
            return f"the ticket system answered {answer.status_code}; check TOCSIN_TICKET_URL and TOCSIN_TICKET_TOKEN"
        return None

    async def close(self) -> None:
        """See the port."""
        await self._client.aclose()

    async def _post(self, delivery: Delivery, payload: Payload) -> Outcome:
        headers = {**self._headers, "Idempotency-Key": str(delivery.id)}
        body = b""
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", self._url, json=payload, headers=headers) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        break
        except (httpx.HTTPError, TimeoutError) as error:
            return _out_of_reach(error)
        if not answer.is_success:
            return _not_taken(answer)
        return _taken(delivery, body)


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


def _not_taken(answer: httpx.Response) -> RetryLater | Refused:
    status = answer.status_code
    if status == 429:
        return RetryLater("the ticket system limits the rate", after=_retry_after(answer.headers.get("Retry-After")))
    if status in _ASK_A_PERSON or 300 <= status < 400:
        reason = f"the ticket system answered {status}; check TOCSIN_TICKET_URL and TOCSIN_TICKET_TOKEN"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    if status in _NOT_NOW:
        return RetryLater(f"the ticket system is not ready ({status})", unknown=True)
    if 400 <= status < 500:
        return Refused(f"the ticket system refused this ({status})")
    return RetryLater(f"the ticket system answered {status}", unknown=True, provider_down=True)


def _out_of_reach(error: Exception) -> RetryLater:
    """`unknown` where the request may have arrived."""
    reason = f"the ticket system is out of reach ({type(error).__name__})"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = "the ticket system's certificate is not trusted here; set TOCSIN_CA_FILE"
    unknown = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return RetryLater(reason, unknown=unknown, provider_down=True)


def _retry_after(value: str | None) -> timedelta:
    return timedelta(seconds=min(int(value), 3600)) if value is not None and value.isdecimal() else _RATE_BACKOFF
