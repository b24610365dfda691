"""Runs the HTTP side under uvicorn on a socket of its own, until told to stop. Knows no signals and no command line."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from streams.listening import listening
from streams.settings import check_exposure
from streams.values import Bind
from streams.web.app import build
from streams.web.edge import Edge
from streams.web.ports import WebPorts
from streams.web.protocol import BoundedProtocol

_KEEP_ALIVE: Final = 310
"""Seconds. Longer than Alertmanager keeps an idle connection (300), so that none is closed under a webhook."""
_FINISH_WITHIN: Final = 10
"""Seconds for what is in flight when we are told to stop. POLICY 34."""
_CONNECTIONS: Final = 2048
_BACKLOG: Final = 1024


async def serve_web(ports: WebPorts, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serves until `stop` is set and what is in flight has ended; calls `ready` with its address once it accepts.

    Raises SettingsError when the address cannot be used, or would let in other machines without tokens.
    """
    check_exposure(ports.settings)
    with listening(ports.settings.web_bind) as listener:
        bound = Bind(*listener.getsockname()[:2])
        server = _Server(_config(build(ports)), lambda: ready(f"http://{bound}"))
        stopper = asyncio.create_task(_stop(server, stop))
        try:
            await server.serve(sockets=[listener])
        finally:
            stopper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stopper


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _config(app: Edge) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_FINISH_WITHIN,
    )


class _Server(uvicorn.Server):
    """Says when it accepts, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
