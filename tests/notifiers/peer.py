"""PagerDuty, Slack and a ticket system on loopback, as far as Tocsin speaks with them, and what networks do to answers.

Requests are checked against small schemas of our own; what breaks one is a complaint, which fails the test.
"""

import asyncio
import json
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

_SCHEMAS = Path(__file__).parent / "schemas"
_SLACK = json.loads((_SCHEMAS / "slack.json").read_text())
_PAGERDUTY = Draft202012Validator(json.loads((_SCHEMAS / "pagerduty.json").read_text()))
TOKEN = "xoxb-1-secret-of-the-bot"
API_TOKEN = "u+secret-of-the-api"
KEY = "0123456789abcdef0123456789abcdef"
TICKET_TOKEN = "secret-of-the-tickets"
HOOK_SECRET = "secret-of-the-webhook"


def violations(method: str, arguments: dict) -> list[str]:
    """What Slack would not take in a call of `method`."""
    if method not in _SLACK["$defs"]:
        return [f"{method} is not described in slack.json"]
    validator = Draft202012Validator({"$ref": f"#/$defs/{method}", "$defs": _SLACK["$defs"]})
    return [f"{method}: {error.message[:300]}" for error in validator.iter_errors(arguments)]


def event_violations(event: dict) -> list[str]:
    """What PagerDuty would not take."""
    return [error.message[:300] for error in _PAGERDUTY.iter_errors(event)]


@dataclass
class Fault:
    """What befalls one request. `processed` says whether the provider had acted on it before the answer was lost."""

    name: str
    processed: bool = False
    status: int | None = None
    headers: dict = field(default_factory=dict)
    body: Any = None
    text: str | None = None
    reset: bool = False
    truncate: bool = False
    hold: bool = False


@dataclass
class Peer:
    """State is public: tests look at it."""

    url: str = ""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[tuple[str, dict]] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    """Monotonic seconds, one for each request."""
    complaints: list[str] = field(default_factory=list)
    alerts: dict[str, str] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    channels: dict[str, dict] = field(default_factory=lambda: {"C0INCIDENTS": {"name": "incidents"}})
    messages: list[dict] = field(default_factory=list)
    tickets: dict[str, list[dict]] = field(default_factory=dict)
    """By id, what was told of each; a key that was seen is answered as the first time."""
    ticket_answers: dict[str, dict] = field(default_factory=dict)
    hooked: dict[str, dict] = field(default_factory=dict)
    """By Idempotency-Key, what a webhook was told."""
    replies: list[dict] = field(default_factory=list)
    """What was told by a response_url."""
    scopes: str = "channels:history,channels:join,channels:manage,channels:read,chat:write"
    released: asyncio.Event = field(default_factory=asyncio.Event)
    channels_a_page: int = 1
    messages_a_page: int = 2

    def befall(self, call: str, *faults: Fault) -> None:
        """The next requests of `call` (`enqueue`, `incidents` or a Slack method) meet `faults`, one each."""
        self.faults.setdefault(call, []).extend(faults)

    async def start(self, tls: ssl.SSLContext | None = None) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v2/enqueue", self._serve)
        app.router.add_get("/incidents", self._serve)
        app.router.add_route("*", "/tickets", self._serve)
        app.router.add_route("*", f"/{HOOK_SECRET}/hook", self._serve)
        app.router.add_route("*", "/api/{method}", self._serve)
        app.router.add_post("/actions/{rest:.*}", self._reply)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _reply(self, request: web.Request) -> web.Response:
        self.replies.append(await request.json())
        return web.Response(text="ok")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = request.match_info.get("method") or request.path.rsplit("/", 1)[-1]
        raw = await request.read()
        arguments = {**request.query, **(json.loads(raw) if raw else {})}
        self.arrived.append(time.monotonic())
        self.requests.append((call, arguments))
        fault = self.faults[call].pop(0) if self.faults.get(call) else None
        if fault is None or fault.processed:
            status, body = self._process(call, arguments, request)
        else:
            status, body = 500, {}
        if fault is None:
            return web.json_response(body, status=status, headers={"x-oauth-scopes": self.scopes})
        return await self._spoil(fault, request, body)

    async def _spoil(self, fault: Fault, request: web.Request, body: Any) -> web.StreamResponse:
        if fault.hold:
            await self.released.wait()
        if fault.truncate:
            answer = json.dumps(body).encode()
            response = web.StreamResponse(
                headers={"Content-Type": "application/json", "Content-Length": str(len(answer))}
            )
            await response.prepare(request)
            await response.write(answer[: len(answer) // 2])
            _reset(request)
            return response
        if fault.reset or fault.hold:
            _reset(request)
        if fault.text is not None:
            return web.Response(
                text=fault.text, status=fault.status or 200, content_type="text/html", headers=fault.headers
            )
        return web.json_response(fault.body or {}, status=fault.status or 200, headers=fault.headers)

    def _process(self, call: str, arguments: dict, request: web.Request) -> tuple[int, Any]:
        if call == "enqueue":
            return self._enqueue(arguments)
        if call == "tickets":
            return self._ticket(arguments, request)
        if call == "hook":
            if request.method == "POST":
                self.hooked[request.headers["Idempotency-Key"]] = arguments
            return 200, {}
        if call == "incidents":
            if request.headers.get("Authorization") != f"Token token={API_TOKEN}":
                return 401, {}
            state = self.alerts.get(arguments["incident_key"])
            return 200, {"incidents": [{"status": state}] if state else []}
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        self.complaints.extend(violations(call, arguments))
        return 200, getattr(self, "_" + call.replace(".", "_"))(arguments)

    def _enqueue(self, event: dict) -> tuple[int, Any]:
        wrong = event_violations(event)
        if wrong:
            return 400, {"status": "invalid event", "errors": [*wrong, event.get("routing_key")]}
        key, action = event["dedup_key"], event["event_action"]
        state = self.alerts.get(key)
        if action == "trigger":
            if state in {None, "resolved"}:
                self.pages.append(key)
            self.alerts[key] = state if state in {"triggered", "acknowledged"} else "triggered"
        elif state in {"triggered", "acknowledged"}:
            self.alerts[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return 202, {"status": "success", "message": "Event processed", "dedup_key": key}

    def _ticket(self, told: dict, request: web.Request) -> tuple[int, Any]:
        if request.headers.get("Authorization") != f"Bearer {TICKET_TOKEN}":
            return 401, {}
        if request.method == "OPTIONS":
            return 405, {}
        key = request.headers["Idempotency-Key"]
        if key not in self.ticket_answers:
            number = told["ticket"] or f"OPS-{len(self.tickets) + 1}"
            self.tickets.setdefault(number, []).append(told)
            self.ticket_answers[key] = {"id": number, "url": f"https://tickets.example.com/{number}"}
        return 200, self.ticket_answers[key]

    def _auth_test(self, _: dict) -> dict:
        return {"ok": True}

    def _conversations_create(self, arguments: dict) -> dict:
        if any(channel["name"] == arguments["name"] for channel in self.channels.values()):
            return {"ok": False, "error": "name_taken"}
        new = f"C{len(self.channels):08d}"
        self.channels[new] = {"name": arguments["name"]}
        return {"ok": True, "channel": {"id": new, "name": arguments["name"]}}

    def _conversations_join(self, arguments: dict) -> dict:
        return {"ok": True, "channel": {"id": arguments["channel"]}}

    def _conversations_setTopic(self, arguments: dict) -> dict:  # noqa: N802 (Slack's name)
        self.channels[arguments["channel"]]["topic"] = arguments["topic"]
        return {"ok": True}

    def _conversations_list(self, arguments: dict) -> dict:
        """By default one channel a page, so that whoever looks must follow the cursor."""
        start = int(arguments.get("cursor") or 0)
        listed = [{"id": key, "name": value["name"]} for key, value in self.channels.items()]
        end = start + self.channels_a_page
        more = str(end) if end < len(listed) else ""
        return {"ok": True, "channels": listed[start:end], "response_metadata": {"next_cursor": more}}

    def _conversations_history(self, arguments: dict) -> dict:
        return self._found(arguments, [one for one in self.messages if "thread_ts" not in one])

    def _conversations_replies(self, arguments: dict) -> dict:
        thread = arguments["ts"]
        return self._found(arguments, [one for one in self.messages if thread in {one["ts"], one.get("thread_ts")}])

    def _found(self, arguments: dict, messages: list[dict]) -> dict:
        """By default two messages a page, newest first; without include_all_metadata there would be no metadata."""
        own = [one for one in reversed(messages) if one["channel"] == arguments["channel"]]
        start = int(arguments.get("cursor") or 0)
        end = start + self.messages_a_page
        more = str(end) if end < len(own) else ""
        shown = own[start:end]
        if arguments["include_all_metadata"] not in {"1", "true"}:
            shown = [{key: value for key, value in one.items() if key != "metadata"} for one in shown]
        return {"ok": True, "messages": shown, "response_metadata": {"next_cursor": more}}

    def _chat_postMessage(self, arguments: dict) -> dict:  # noqa: N802 (Slack's name)
        wanted = arguments["channel"]
        ids = [key for key, value in self.channels.items() if wanted in {key, f"#{value['name']}"}]
        if not ids:
            return {"ok": False, "error": "channel_not_found"}
        message = {**arguments, "channel": ids[0], "ts": f"1795270000.{len(self.messages):06d}"}
        self.messages.append(message)
        return {"ok": True, "channel": ids[0], "ts": message["ts"]}

    def _chat_update(self, arguments: dict) -> dict:
        for message in self.messages:
            if (message["channel"], message["ts"]) == (arguments["channel"], arguments["ts"]):
                message.update(arguments)
                return {"ok": True, "channel": message["channel"], "ts": message["ts"]}
        return {"ok": False, "error": "message_not_found"}


def _reset(request: web.Request) -> None:
    """RST instead of an answer."""
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
