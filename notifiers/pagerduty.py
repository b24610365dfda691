"""PagerDuty: pages, their acknowledgement and their resolution, through the Events API v2.

Owns what is sent, and the looking back after an attempt of unknown outcome. One call per attempt: never sleeps, retries
or blocks the loop. A second trigger on an open dedup_key pages nobody, which is what makes such an attempt safe.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pagerduty import Error, RestApiV2Client

from models.deliveries import (
    Delivered,
    Delivery,
    DeliveryKind,
    Outcome,
    PageFacts,
    Provider,
    Receipts,
    Refused,
    RetryLater,
)
from notifiers.pagerduty_events import Events
from notifiers.render import TemplateFault, pagerduty_event

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
_THREADS = 32
_LOOK_SECONDS = 5.0
"""Looking must leave time to send: together they end before the delivery's lease (agents/delivery.py)."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PROBE = "tocsin-doctor"
"""Acknowledging a dedup_key that was never triggered is dropped by PagerDuty and wakes nobody."""


class _Rest(RestApiV2Client):
    """The client, with an address that may be plain HTTP on loopback (the library insists on https)."""

    plain_base: str | None = None

    def normalize_url(self, url: str) -> str:
        return self.plain_base + url if self.plain_base else super().normalize_url(url)


class PagerDutyNotifier:
    """`keys` are the routing keys by the name of their environment variable, fallbacks already applied."""

    provider = Provider.PAGERDUTY
    recording = False
    phase_seconds = 5.0
    """How long connecting, writing and reading may each take."""

    def __init__(
        self,
        keys: Mapping[str, str],
        *,
        events_url: str = EVENTS_URL,
        api_url: str = API_URL,
        api_token: str | None = None,
        client_url: Callable[[Delivery], str | None] = lambda _: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Raises ValueError for an address that is neither https nor on loopback."""
        self._keys = dict(keys)
        self._events = Events(_address(events_url, "TOCSIN_PAGERDUTY_EVENTS_URL"), tls, self.phase_seconds)
        self._client_url = client_url
        self._rest: _Rest | None = None
        if api_token:
            address = _address(api_url, "TOCSIN_PAGERDUTY_API_URL")
            self._rest = _bounded(api_token, address, tls, self.phase_seconds)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pagerduty")

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port. A page that PagerDuty knows already, even as resolved, is not triggered again."""
        page = delivery.page
        if page is None:
            return Refused(
                f"a {delivery.kind} without a page cannot be sent; this is a fault of Tocsin, please report it"
            )
        key = self._keys.get(page.routing_key)
        if not key:
            return Refused(f"no routing key for level {page.level}; set {page.routing_key}")
        try:
            event = pagerduty_event(delivery, self._client_url(delivery))
        except TemplateFault as error:
            return Refused(str(error))
        if delivery.kind is DeliveryKind.PAGE and read_back and await self._knows(page.dedup_key):
            return _delivered(delivery, page, "read back: PagerDuty has it already")
        fault = await self._events.enqueue(key, event)
        if fault is None:
            return _delivered(delivery, page, "accepted by PagerDuty")
        # An attempt that got nowhere says nothing about the one before it.
        return replace(fault, unknown=True) if read_back and isinstance(fault, RetryLater) else fault

    async def check(self) -> str | None:
        """See the port. Asks each routing key by an acknowledgement that PagerDuty drops."""
        for name, key in self._keys.items():
            fault = await self._events.enqueue(key, {"event_action": "acknowledge", "dedup_key": _PROBE})
            if fault is not None:
                return f"{name}: {fault.reason}"
        return None

    async def close(self) -> None:
        """See the port. What still runs ends by its own time-outs."""
        await self._events.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._rest is not None:
            self._rest.close()

    async def _knows(self, dedup_key: str) -> bool:
        """Whether an incident with this key exists in any state. False where nobody can say: a page comes first."""
        rest = self._rest
        if rest is None:
            return False
        query: dict[str, str | int] = {"incident_key": dedup_key, "date_range": "all", "limit": 1}
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                look = partial(rest.get, "/incidents", params=query)
                answer = await asyncio.get_running_loop().run_in_executor(self._threads, look)
            return answer.status_code == 200 and bool(answer.json().get("incidents"))
        except (Error, httpx2.RequestError, TimeoutError, ValueError, AttributeError):
            return False


def _bounded(token: str, base_url: str, tls: ssl.SSLContext | None, phase_seconds: float) -> _Rest:
    """A client that makes one call and raises or returns. Unbounded it would sleep for hours on 429s."""
    scheme, rest = base_url.split("://", 1)
    is_plain = scheme == "http"
    options: dict[str, Any] = {"trust_env": not is_plain}
    if tls is not None:
        options["verify"] = tls
    client = _Rest(token, base_url=f"https://{rest}", **options)
    if is_plain:
        client.plain_base = base_url
    client.retry = {429: 1}
    client.max_http_attempts = -1
    client.max_network_attempts = 0
    client.sleep_timer = 0
    client.timeout = phase_seconds  # type: ignore[assignment]
    return client


def _address(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url.rstrip("/")
    raise ValueError(f"{name} must begin with https:// (plain http is for loopback only)")


def _delivered(delivery: Delivery, page: PageFacts, how: str) -> Delivered:
    receipts = {f"page/{page.ordinal}": page.dedup_key} if delivery.kind is DeliveryKind.PAGE else {}
    return Delivered(f"{delivery.kind.replace('_', ' ')} to {page.level} {how}", receipts)
