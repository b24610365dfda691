"""One POST of JSON to an address that a team has set up, and what each answer means. One attempt per call.

Shared by tickets and webhooks. Every call carries an Idempotency-Key, which is what stands in for reading back. Never
follows a redirect and never names the address, which may hold a secret: who it is, the caller says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from models.deliveries import Refused, RetryLater

ASK_A_PERSON: Final = frozenset({401, 403, 404, 405, 407})
"""Beside redirects: what an address or a token does that is not, or no longer, the right one."""
_RATE_BACKOFF: Final = timedelta(seconds=30)
_NOT_NOW: Final = frozenset({408, 409, 423, 425})
"""409 and 425: the first of two with one Idempotency-Key is still under way."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Poster:
    """Posts to any address; one attempt may take `timeout`."""

    def __init__(self, *, here: bool, tls: ssl.SSLContext | None, timeout: timedelta) -> None:
        """`here` is for addresses on loopback, which no proxy stands before."""
        self._timeout = timeout.total_seconds()
        self._client = httpx.AsyncClient(verify=tls or True, trust_env=not here, timeout=self._timeout)

    async def post(
        self, url: str, payload: Mapping[str, Any], headers: Mapping[str, str], *, most: int
    ) -> tuple[httpx.Response, bytes]:
        """The answer, and at most about `most` bytes of its body. Raises HTTPError and TimeoutError."""
        body = b""
        async with (
            asyncio.timeout(self._timeout),
            self._client.stream("POST", url, json=dict(payload), headers=dict(headers)) as answer,
        ):
            if most and answer.is_success:
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > most:
                        break
        return answer, body

    async def options(self, url: str, headers: Mapping[str, str]) -> int:
        """The status of an answer to a question that changes nothing. Raises HTTPError and TimeoutError."""
        async with asyncio.timeout(self._timeout):
            return (await self._client.request("OPTIONS", url, headers=dict(headers))).status_code

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.aclose()


def is_here(url: str, name: str) -> bool:
    """True for an address on loopback. Raises ValueError, naming the variable, for one that is neither that nor https:
    secrets go there.
    """
    try:
        parts = urlsplit(url)
        scheme, here, whole = parts.scheme, parts.hostname in _LOOPBACK, bool(parts.hostname) and parts.port != 0
    except ValueError:
        scheme, here, whole = "", False, False
    if not whole or scheme not in ({"http", "https"} if here else {"https"}):
        raise ValueError(f"{name} must begin with https:// (plain http is for loopback only)")
    return here


def not_taken(answer: httpx.Response, who: str) -> RetryLater | Refused:
    """What an answer other than yes means, but for those of ASK_A_PERSON and redirects, which are the caller's."""
    status = answer.status_code
    if status == 429:
        return RetryLater(f"{who} limits the rate", after=_retry_after(answer.headers.get("Retry-After")))
    if status in _NOT_NOW:
        return RetryLater(f"{who} is not ready ({status})", unknown=True)
    if 400 <= status < 500:
        return Refused(f"{who} refused this ({status})")
    return RetryLater(f"{who} answered {status}", unknown=True, provider_down=True)


def asks_a_person(answer: httpx.Response) -> bool:
    """True for an answer that only a person can change, at the address or the token."""
    return answer.status_code in ASK_A_PERSON or 300 <= answer.status_code < 400


def out_of_reach(error: Exception, who: str) -> RetryLater:
    """`unknown` where the request may have arrived."""
    reason = f"{who} is out of reach ({type(error).__name__})"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = f"{who}'s certificate is not trusted here; set TOCSIN_CA_FILE"
    unknown = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return RetryLater(reason, unknown=unknown, provider_down=True)


def _retry_after(value: str | None) -> timedelta:
    return timedelta(seconds=min(int(value), 3600)) if value is not None and value.isdecimal() else _RATE_BACKOFF
