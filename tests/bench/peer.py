"""`python -m tests.bench.peer`: PagerDuty's Events v2 in a process of its own, noting when each page arrived.

`GET /pages/RUN` answers `[[service, monotonic seconds], …]` and `GET /pages/RUN/count` their number. All processes of a
machine have one monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from typing import Any

import uvicorn
import uvloop

from streams.processes import supervised


class Peer:
    """An ASGI application. A page belongs to the run that its service is named after."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while scope["method"] == "POST":
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        at = time.monotonic()
        status, answer = (202, self._take(body, at)) if scope["method"] == "POST" else (200, self._told(scope["path"]))
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _take(self, body: bytes, at: float) -> dict[str, str]:
        event = json.loads(body)
        if event["event_action"] == "trigger":
            service = event["payload"]["component"]
            self._pages[service.rpartition("-")[0]].append((service, at))
        return {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}

    def _told(self, path: str) -> object:
        run, _, what = path.removeprefix("/pages/").partition("/")
        return len(self._pages[run]) if what == "count" else self._pages[run]


async def main(port: int) -> None:
    config = uvicorn.Config(
        Peer(), host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none", timeout_keep_alive=300
    )
    async with supervised() as self:
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await self.stop.wait()
        server.should_exit = True
        await serving


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
