"""HTTP as uvicorn speaks it, with limits on what comes before a body: the size of a head, and the time it may take.

Neither httptools nor uvicorn has any (uvicorn 0.3x to 0.5x), so anybody who can connect could fill the memory with one
header, or all connections with silence. Bodies are limited in streams/web/body.py. Never looks into a request.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT: Final = 128 * 1024
"""Bytes of a request line and headers beyond the first piece that the loop reads (256 KiB at most)."""
HEAD_WITHIN: Final = 20.0
"""Seconds from the connection, or from the first byte of a request, to the end of its headers."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _head: int | None = 0
    """Bytes of the head so far; None while no head is being read."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            if self._head > HEAD_LIMIT:
                self._abort()
                return
            self._head += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._head_ended()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._head = 0
        self._patience = self.loop.call_later(HEAD_WITHIN, self._abort)

    def _head_ended(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _abort(self) -> None:
        self.transport.abort()
