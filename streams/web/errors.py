"""Errors as clients see them: `{"error", "hint"}`, one line each, with the status that makes them do what is right.

Never a traceback, never what a client must not know. 503 says "again, later" to every sender; 429 and redirects are
never answered: Alertmanager loses alerts over them (it does not retry 429 in time, and drops the body at a redirect).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from aiokafka.errors import KafkaError
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.store.errors import StoreError

log = logging.getLogger(__name__)

UNAVAILABLE: Final = (
    KafkaError,
    OSError,  # TimeoutError and ConnectionError among them
    StoreError,
)
"""What a broker or database out of reach raises."""

_HINTS: Final[Mapping[int, str]] = {
    404: "See /docs for what there is.",
    405: "See /docs for the method.",
    413: "Send less.",
}
_SAY_JSON: Final = "Send JSON with the header Content-Type: application/json; see /docs for the fields."


class Problem(Exception):
    """A request that ends with an error of ours."""

    def __init__(self, status: int, error: str, hint: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """As the client sees it."""
        return JSONResponse({"error": self.error, "hint": self.hint}, self.status, headers=self.headers)


def unavailable(what: str, error: BaseException) -> Problem:
    """Broker or database away. The client learns which, the log learns why."""
    log.warning("%s: %s: %s", what, type(error).__name__, error)
    return Problem(503, what, "Nothing was accepted. Send it again; see /health/ready.", headers={"Retry-After": "5"})


def install(app: FastAPI) -> None:
    """Gives every error of `app` our shape."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(Exception, _bug)


async def _problem(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
    assert isinstance(error, Problem)
    return error.response()


async def _http(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
    assert isinstance(error, HTTPException)
    hint = _HINTS.get(error.status_code, "")
    return Problem(error.status_code, str(error.detail).lower(), hint, headers=error.headers).response()


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first, *rest = error.errors()
    where = ".".join(str(step) for step in first["loc"] if step != "body")
    empty = first["type"] == "string_too_short" and first["ctx"]["min_length"] == 1
    what = "must not be empty" if empty else str(first["msg"]).removeprefix("Value error, ")
    more = f" (and {len(rest)} more)" if rest else ""
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json")
    hint = _SAY_JSON if first["loc"][0] == "body" and not is_json else "See /docs for the fields."
    return Problem(422, f"{where}: {what}{more}" if where else f"{what}{more}", hint).response()


async def _away(request: Request, error: Exception) -> Response:
    return unavailable(
        f"{request.method} {request.url.path} needs the broker or database, and it does not answer", error
    ).response()


async def _bug(request: Request, error: Exception) -> Response:
    # uvicorn logs the traceback right after this, but does not know the id.
    log.error("request %s: %s %s: %s", request.state.request_id, request.method, request.url.path, type(error).__name__)
    return Problem(500, "this is a bug in Tocsin", "The log has it under this answer's X-Request-ID.").response()
