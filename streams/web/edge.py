"""The outermost layer of every request: its id, path, limit and time, and the headers of every answer.

Hands webhooks straight to the receiver and all else to FastAPI. A trailing slash is dropped, never redirected: a sender
would follow without its body.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.web import receiver
from streams.web.metrics import WebMetrics

BODY_LIMIT: Final = 1024 * 1024
"""Of everything but Alertmanager's webhooks."""
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_AREAS: Final = (
    (receiver.PATH, "receiver"),
    ("/webhooks/", "inbound"),
    ("/api/v1/", "api"),
    ("/api/v2/", "status"),
    ("/health/", "health"),
    ("/metrics", "metrics"),
)
_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]


class Edge:
    """The ASGI application that uvicorn serves."""

    def __init__(self, webhooks: ASGIApp, app: ASGIApp, metrics: WebMetrics) -> None:
        self._webhooks = webhooks
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path != "/" and path.endswith("/"):
            path = path.rstrip("/") or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        added = [(b"x-request-id", request_id), *_HEADERS]
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        started = time.perf_counter()
        try:
            if path == receiver.PATH:
                await self._webhooks(scope, receive, answer)
            else:
                await self._app(scope, _limited(receive), answer)
        finally:
            area = _area(path)
            self._metrics.seconds.labels(area).observe(time.perf_counter() - started)
            self._metrics.answers.labels(area, f"{status // 100}xx").inc()


def _request_id(scope: Scope) -> bytes:
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()


def _area(path: str) -> str:
    return next((area for prefix, area in _AREAS if path.startswith(prefix)), "pages")


def _limited(receive: Receive) -> Receive:
    """`receive` that refuses to hand on more than BODY_LIMIT bytes."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            raise HTTPException(413, f"the body is larger than {BODY_LIMIT // 1024**2} MiB", {"Connection": "close"})
        return message

    return limited
