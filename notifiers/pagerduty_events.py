"""PagerDuty's Events API v2: one event in one call, and what its answer means for a delivery.

Owns the connections. Never sleeps and never retries. PagerDuty's own client is made for threads: beside a busy event
loop each page waited several times for its turn, and a worker sent half as many (docs/decisions/0040).
"""

from __future__ import annotations

import json
import ssl
from datetime import timedelta

import aiohttp

from models.deliveries import Refused, RetryLater
from notifiers.escape import plain
from notifiers.render import Payload

_SEND_SECONDS = 12.0
"""Looking back before it must fit in, too, before the delivery's lease ends (agents/delivery.py)."""
_KEPT_OPEN_SECONDS = 5.0
"""A connection that was idle for longer may be closed already, and what is sent on it then has an unknown outcome."""
_CREDENTIALS_BACKOFF = timedelta(minutes=1)
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Events:
    """Connects when first used, in the running loop."""

    def __init__(self, address: str, tls: ssl.SSLContext | None, phase_seconds: float) -> None:
        """Connecting and each wait for an answer may take `phase_seconds`, all of it _SEND_SECONDS."""
        self._url = f"{address}/v2/enqueue"
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(_SEND_SECONDS, sock_connect=phase_seconds, sock_read=phase_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def enqueue(self, key: str, event: Payload) -> RetryLater | Refused | None:
        """None once PagerDuty has accepted it for the service of the routing key."""
        if self._session is None:
            self._session = self._connected()
        try:
            async with self._session.post(
                self._url, json={**event, "routing_key": key}, allow_redirects=False
            ) as answer:
                text = await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _out_of_reach(error)
        if answer.ok and _accepts(text):
            return None
        return _fault(answer.status, answer.headers.get("Retry-After"), text.replace(key, "[key]"))

    async def close(self) -> None:
        """Lets go of the connections."""
        if self._session is not None:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # that is the courier's to say
            keepalive_timeout=_KEPT_OPEN_SECONDS,
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._url.startswith("https:"),  # plain http is loopback: no proxy leads there
        )


def _accepts(text: str) -> bool:
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return isinstance(said, dict) and "dedup_key" in said


def _out_of_reach(error: Exception) -> RetryLater:
    reason = f"PagerDuty is out of reach ({type(error).__name__})"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = "PagerDuty's certificate is not trusted here; set TOCSIN_CA_FILE"
    return RetryLater(reason, unknown=not isinstance(error, _NOT_SENT), provider_down=True)


def _fault(status: int, retry_after: str | None, words: str) -> RetryLater | Refused:
    if status == 429:
        return RetryLater("PagerDuty limits the rate (429)", after=_seconds(retry_after))
    if status in {401, 403, 404, 405, 407} or 300 <= status < 400:
        reason = f"PagerDuty answered {status}; check the routing keys and TOCSIN_PAGERDUTY_EVENTS_URL"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    if 400 <= status < 500 and status != 408:
        return Refused(f"PagerDuty refused the event ({status}): {plain(words, 200)}")
    return RetryLater(f"PagerDuty answered {status} without an acceptance", unknown=True, provider_down=True)


def _seconds(value: str | None) -> timedelta | None:
    """Seconds only, an hour at most; a date is as good as no answer (our own backoff decides)."""
    return timedelta(seconds=min(int(value), 3600)) if value is not None and value.isdecimal() else None
