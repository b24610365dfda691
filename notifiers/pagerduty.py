"""PagerDuty: pages, their acknowledgement and their resolution, through the Events API v2.

Owns the mapping of PagerDuty's answers to outcomes. One call per attempt: never sleeps, retries or blocks the loop.
A second trigger on an open dedup_key pages nobody, which is what makes an attempt after an unknown outcome safe.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from pagerduty import ApiClient, Error, EventsApiV2Client, RestApiV2Client

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
from notifiers.escape import plain
from notifiers.render import Payload, TemplateFault, pagerduty_event

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
_THREADS = 32
_SEND_SECONDS = 12.0
_LOOK_SECONDS = 5.0
"""Looking must leave time to send: together they end before the delivery's lease (agents/delivery.py)."""
_CREDENTIALS_BACKOFF = timedelta(minutes=1)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_PROBE = "tocsin-doctor"
"""Acknowledging a dedup_key that was never triggered is dropped by PagerDuty and wakes nobody."""

_T = TypeVar("_T")
_Client = TypeVar("_Client", bound=ApiClient)


class _Events(EventsApiV2Client):
    """The client, with an address that may be plain HTTP on loopback (the library insists on https)."""

    plain_base: str | None = None

    def normalize_url(self, url: str) -> str:
        return self.plain_base + url if self.plain_base else super().normalize_url(url)


class _Rest(RestApiV2Client):
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
        self._events_url = _address(events_url, "TOCSIN_PAGERDUTY_EVENTS_URL")
        self._client_url = client_url
        self._tls = tls
        self._clients: dict[str, EventsApiV2Client] = {}
        self._rest = (
            self._bounded(_Rest, api_token, _address(api_url, "TOCSIN_PAGERDUTY_API_URL")) if api_token else None
        )
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
        fault = await self._enqueue(key, event)
        if fault is None:
            return _delivered(delivery, page, "accepted by PagerDuty")
        # An attempt that got nowhere says nothing about the one before it.
        return replace(fault, unknown=True) if read_back and isinstance(fault, RetryLater) else fault

    async def check(self) -> str | None:
        """See the port. Asks each routing key by an acknowledgement that PagerDuty drops."""
        for name, key in self._keys.items():
            fault = await self._enqueue(key, {"event_action": "acknowledge", "dedup_key": _PROBE})
            if fault is not None:
                return f"{name}: {fault.reason}"
        return None

    async def close(self) -> None:
        """See the port. What still runs ends by its own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in (*self._clients.values(), self._rest):
            if client is not None:
                client.close()

    async def _enqueue(self, key: str, event: Payload) -> RetryLater | Refused | None:
        """One event; None once PagerDuty has accepted it."""
        client = self._clients.get(key) or self._clients.setdefault(key, self._bounded(_Events, key, self._events_url))
        fields = {name: value for name, value in event.items() if name != "event_action"}
        try:
            await self._in_thread(lambda: client.send_event(event["event_action"], **fields), _SEND_SECONDS)
        except (Error, httpx2.RequestError, TimeoutError) as error:
            return _fault(error, secret=key)
        return None

    async def _knows(self, dedup_key: str) -> bool:
        """Whether an incident with this key exists in any state. False where nobody can say: a page comes first."""
        rest = self._rest
        if rest is None:
            return False
        query: dict[str, str | int] = {"incident_key": dedup_key, "date_range": "all", "limit": 1}
        try:
            answer = await self._in_thread(lambda: rest.get("/incidents", params=query), _LOOK_SECONDS)
            return answer.status_code == 200 and bool(answer.json().get("incidents"))
        except (Error, httpx2.RequestError, TimeoutError, ValueError, AttributeError):
            return False

    async def _in_thread(self, call: Callable[[], _T], within: float) -> _T:
        async with asyncio.timeout(within):
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _bounded(self, client_type: type[_Client], secret: str, base_url: str) -> _Client:
        """A client that makes one call and raises or returns. Unbounded it would sleep for hours on 429s."""
        scheme, rest = base_url.split("://", 1)
        is_plain = scheme == "http"
        options: dict[str, Any] = {"trust_env": not is_plain}
        if self._tls is not None:
            options["verify"] = self._tls
        client = client_type(secret, base_url=f"https://{rest}", **options)  # type: ignore[arg-type]
        if is_plain:
            client.plain_base = base_url  # type: ignore[attr-defined]
        client.retry = {429: 1}
        client.max_http_attempts = -1
        client.max_network_attempts = 0
        client.sleep_timer = 0
        client.timeout = self.phase_seconds  # type: ignore[assignment]
        return client


def _address(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url.rstrip("/")
    raise ValueError(f"{name} must begin with https:// (plain http is for loopback only)")


def _delivered(delivery: Delivery, page: PageFacts, how: str) -> Delivered:
    receipts = {f"page/{page.ordinal}": page.dedup_key} if delivery.kind is DeliveryKind.PAGE else {}
    return Delivered(f"{delivery.kind.replace('_', ' ')} to {page.level} {how}", receipts)


def _fault(error: Exception, secret: str) -> RetryLater | Refused:
    response = getattr(error, "response", None)
    if response is None:
        cause = error.__cause__ or error
        reason = f"PagerDuty is out of reach ({type(cause).__name__})"
        if "CERTIFICATE_VERIFY_FAILED" in str(cause):
            reason = "PagerDuty's certificate is not trusted here; set TOCSIN_CA_FILE"
        return RetryLater(reason, unknown=not isinstance(cause, _NOT_SENT), provider_down=True)
    status = response.status_code
    if status == 429:
        return RetryLater("PagerDuty limits the rate (429)", after=_retry_after(response.headers.get("retry-after")))
    if status in {401, 403, 404, 405, 407} or 300 <= status < 400:
        reason = f"PagerDuty answered {status}; check the routing keys and TOCSIN_PAGERDUTY_EVENTS_URL"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    if 400 <= status < 500 and status != 408:
        return Refused(f"PagerDuty refused the event ({status}): {_words(response, secret)}")
    return RetryLater(f"PagerDuty answered {status} without an acceptance", unknown=True, provider_down=True)


def _words(response: httpx2.Response, secret: str) -> str:
    return plain(response.text.replace(secret, "[key]"), 200)


def _retry_after(value: str | None) -> timedelta | None:
    """Seconds only, an hour at most; a date is as good as no answer (our own backoff decides)."""
    return timedelta(seconds=min(int(value), 3600)) if value is not None and value.isdecimal() else None
