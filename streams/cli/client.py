"""The API as the command line uses it: where it answers, who asks, and what its errors mean for people.

A command carries an Idempotency-Key, so it is sent again when a connection breaks under it. Owns no command.
"""

from __future__ import annotations

import getpass
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
import typer
from pydantic import TypeAdapter, ValidationError

from streams.cli.edge import Code, Fault
from streams.endpoints import find
from streams.settings import Settings, read_settings
from streams.values import Bind

CONNECT_WITHIN: Final = 5.0
ANSWER_WITHIN: Final = 20.0
"""Seconds. The API itself waits up to nine for the broker and for a command's outcome."""
ATTEMPTS: Final = 3

_CODES: Final[Mapping[int, Code]] = {
    401: Code.DENIED,
    403: Code.DENIED,
    404: Code.NOT_FOUND,
    422: Code.USAGE,
    503: Code.UNREACHABLE,
}
_ANYWHERE: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what is asked when these are bound)
_BROKEN: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""The connection ended under a request, as when web is restarted."""

_T = TypeVar("_T")


def login_name() -> str:
    """Who sits at this terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


By = Annotated[
    str, typer.Option("--by", default_factory=login_name, show_default="your login name", help="Who says so.")
]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command was answered with. `later` says why when it is kept but not handled yet."""

    body: Any
    later: str | None = None


class Client:
    """Use as a context manager. Every method raises Fault."""

    def __init__(self, settings: Settings) -> None:
        self.address = web_address(settings)
        self._settings = settings
        token = settings.api_token.get_secret_value() if settings.api_token else ""
        headers = {b"X-Tocsin-Via": b"cli", b"Accept": b"application/json"}
        if token:
            headers[b"Authorization"] = f"Bearer {token}".encode()
        # No proxies from the environment: the address is this machine's or one that was given.
        self._http = httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, *path: str, **params: Any) -> Any:
        """The answer's JSON. `None` and empty parameters are left out."""
        given = {name: value for name, value in params.items() if value not in (None, [], "")}
        response = self._send(self._request("GET", path, params=given))
        return self._json(response)

    def post(self, *path: str, body: Mapping[str, Any], key: str | None = None) -> Reply:
        """Gives a command. `key` makes repeats of it, by other runs as well, change nothing."""
        stated = {name: value for name, value in body.items() if value is not None}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        response = self._send(self._request("POST", path, json=stated, headers=headers))
        answer = self._json(response)
        is_later = response.status_code == 202 and isinstance(answer, dict) and "hint" in answer
        return Reply(answer, str(answer["hint"]) if is_later else None)

    def _request(self, method: str, path: tuple[str, ...], **stated: Any) -> httpx.Request:
        try:
            return self._http.build_request(method, _path(path), **stated)
        except UnicodeEncodeError:
            raise Fault("an argument cannot be sent: write it in UTF-8", Code.USAGE) from None

    def _send(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._http.send(request)
            except _BROKEN as error:
                if attempt == ATTEMPTS:
                    raise self._unreachable(error) from None
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None
        raise AssertionError("the last attempt returns or raises")

    def _unreachable(self, error: httpx.HTTPError) -> Fault:
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "does not answer"
        if isinstance(error, httpx.LocalProtocolError):
            return Fault("TOCSIN_API_TOKEN cannot be sent: it holds a character that no token has", Code.USAGE)
        return Fault(
            f"the API at {self.address} {what}: start `tocsin up` (or `tocsin web`), or correct TOCSIN_DATA_DIR"
            f" (now {self._settings.data_dir}) or TOCSIN_WEB_BIND (now {self._settings.web_bind})",
            Code.UNREACHABLE,
        )

    def _json(self, response: httpx.Response) -> Any:
        try:
            answer = response.json()
        except ValueError:
            raise self._stranger() from None
        if response.is_success:
            return answer
        if not isinstance(answer, dict) or "error" not in answer:
            raise self._stranger()
        raise Fault(_words(answer, response.status_code), _CODES.get(response.status_code, Code.REFUSED))

    def _stranger(self) -> Fault:
        return Fault(
            f"{self.address} answers, but not as Tocsin: correct TOCSIN_WEB_BIND or TOCSIN_DATA_DIR", Code.UNREACHABLE
        )


def connect() -> Client:
    """A client by the environment's settings. Raises SettingsError and Fault."""
    return Client(read_settings())


def web_address(settings: Settings) -> str:
    """Where the API answers: as the `up` on the data directory says, else as `web` was told. Raises Fault."""
    if found := find(settings.data_dir, "web"):
        return found
    bind = settings.web_bind
    if bind.port == 0:
        raise Fault(
            f"no `tocsin up` runs on {settings.data_dir}: start it, or set TOCSIN_WEB_BIND to where web listens",
            Code.UNREACHABLE,
        )
    return f"http://{Bind(_ANYWHERE.get(bind.host, bind.host), bind.port)}"


def read(kind: type[_T], answer: Any) -> _T:
    """The answer as the API's own type. Raises Fault when the server is of a version that says it otherwise."""
    try:
        return TypeAdapter(kind).validate_python(answer)
    except ValidationError:
        raise Fault("the API answered in an unknown shape: run the same version of Tocsin here and there") from None


def _path(steps: tuple[str, ...]) -> str:
    return "/".join(("/api/v1", *(quote(step, safe="") for step in steps)))


_OPTIONS = {"starts_at: ": "--start", "ends_at: ": "--end"}
_OPTION = re.compile("^" + "|^".join(_OPTIONS))
"""Fields of the API that are called otherwise here."""


def _words(answer: Mapping[str, Any], status: int) -> str:
    if status == 401:
        return f"{answer['error']}: set TOCSIN_API_TOKEN to the token that web was started with"
    if status == 404 and "no incident" in str(answer["error"]):
        return f"{answer['error']}: see `tocsin incidents list`"
    answer = {**answer, "error": _OPTION.sub(lambda field: f"{_OPTIONS[field[0]]}: ", str(answer["error"]))}
    hint = str(answer.get("hint") or "").rstrip(".")
    if ". " in hint:
        return f"{answer['error']}. {hint}"
    if hint[1:2].islower():  # a sentence of its own there, a clause here
        hint = hint[0].lower() + hint[1:]
    return f"{answer['error']}; {hint}" if hint else str(answer["error"])
