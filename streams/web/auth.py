"""Who is asking: senders of webhooks by their own tokens, API clients by the API's. Compares in constant time.

Without a token only this machine is let in, and of its browsers none that another site has sent (a page on the web may
otherwise post to a loopback port). Tokens never reach logs or answers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr
from starlette.datastructures import Headers

from streams.values import is_loopback
from streams.web.errors import Problem

log = logging.getLogger(__name__)

DEFAULT_SENDER: Final = "alertmanager"
_LOG_EVERY: Final = 10.0
"""Seconds between log lines about refusals."""


class Doors:
    """The tokens of one kind of client, by name. With no tokens it lets in this machine, under `anonymous`."""

    def __init__(self, tokens: Mapping[str, SecretStr], variable: str, anonymous: str) -> None:
        self._digests = [(name, _digest(token.get_secret_value().encode())) for name, token in tokens.items()]
        self._variable = variable
        self._anonymous = anonymous
        self._muted_until = 0.0
        self._muted = 0

    def admit(self, headers: Headers, client: str) -> str:
        """The name that the credentials belong to. Raises Problem 401 or 403."""
        if not self._digests:
            _refuse_other_sites(headers)
            return self._anonymous
        given = _credentials(headers.get("authorization", ""))
        digest = _digest(given if given is not None else b"")
        # Every token is compared, so that the time taken does not tell which one came close.
        found = [name for name, known in self._digests if hmac.compare_digest(known, digest)]
        if given is None or not found:
            self._remark(given is None, client)
            raise self._refusal(given is None)
        return found[0]

    def _refusal(self, missing: bool) -> Problem:  # noqa: FBT001 (which of the two)
        error = "no token was sent" if missing else "the token is not known"
        hint = f"Send 'Authorization: Bearer TOKEN' (or Basic with it as password) with a token of {self._variable}."
        return Problem(401, error, hint, headers={"WWW-Authenticate": 'Bearer realm="tocsin"'})

    def _remark(self, missing: bool, client: str) -> None:  # noqa: FBT001 (which of the two)
        now = time.monotonic()
        if now < self._muted_until:
            self._muted += 1
            return
        what = "without a token" if missing else "with an unknown token"
        more = f" ({self._muted} more since the last such line)" if self._muted else ""
        log.warning("refused a request %s from %s; tokens stand in %s%s", what, client, self._variable, more)
        self._muted_until, self._muted = now + _LOG_EVERY, 0


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _credentials(authorization: str) -> bytes | None:
    """The token of a Bearer or Basic header (there it is the password); None when there is none."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip().encode()
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if colon and password else None


def _refuse_other_sites(headers: Headers) -> None:
    host = headers.get("host", "localhost")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    from_here = headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    from_here &= headers.get("origin", host).rpartition("//")[2] == host
    if not (from_here and is_loopback(name)):
        hint = "Without tokens only this machine may call, at a loopback address; set tokens to let others in."
        raise Problem(403, "this request comes by way of another site or name", hint)
