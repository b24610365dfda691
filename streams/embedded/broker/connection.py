"""One client's connection: frames in, responses out in the order of the requests. Owns the socket, knows no API."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from streams.embedded.broker.protocol import MALFORMED, Address, ProtocolViolation

logger = logging.getLogger(__name__)

Respond = Callable[[bytes, Address], Awaitable[bytes | None]]
"""From one request frame and the address that its client reached us at to the response frame, if one is wanted."""

_LENGTH = struct.Struct(">i")
_AHEAD = 8  # requests taken in before the first of them is answered; then the client waits in its socket


class Connection(asyncio.Protocol):
    """Serves one client until it goes, or says what is no Kafka."""

    def __init__(self, respond: Respond, max_frame_bytes: int, connections: set[Connection]) -> None:
        self._respond = respond
        self._max_frame_bytes = max_frame_bytes
        self._connections = connections
        self._received = bytearray()
        self._frames: deque[bytes] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport
        self._serving: asyncio.Task[None]
        self.heard_at = 0.0  # on the loop's clock
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        loop = asyncio.get_running_loop()
        client = transport.get_extra_info("socket")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._address: Address = transport.get_extra_info("sockname")[:2]
        self._peer: Address = transport.get_extra_info("peername")[:2]
        self.heard_at = loop.time()
        self._connections.add(self)
        self._serving = loop.create_task(self._serve())
        self._serving.add_done_callback(self._served)

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if not self._received and len(data) >= 4 and _LENGTH.unpack_from(data)[0] == len(data) - 4:
            self._frames.append(data[4:])  # nearly always: one request, whole
        else:
            self._received += data
            if not self._take_frames():
                return
        if self._frames and self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        if len(self._frames) > _AHEAD:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._serving.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def close(self, reason: str | None = None) -> None:
        """Hang up, with one line in the log if there is a reason that somebody should know."""
        if reason is not None:
            logger.warning("broker: closed the connection of %s:%s: %s", *self._peer, reason)
        self._serving.cancel()
        self._transport.close()

    async def closed(self) -> None:
        await asyncio.wait([self._serving])

    def _take_frames(self) -> bool:
        """Cut what was received into frames; False if it is no Kafka and the connection was closed."""
        received = self._received
        at = 0
        while len(received) - at >= 4:
            (length,) = _LENGTH.unpack_from(received, at)
            if not 0 < length <= self._max_frame_bytes:
                self.close(f"a frame of {length} bytes (at most {self._max_frame_bytes} are taken)")
                return False
            if len(received) - at - 4 < length:
                break
            self._frames.append(bytes(received[at + 4 : at + 4 + length]))
            at += 4 + length
        del received[:at]
        return True

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._frames:
                self._arrived = loop.create_future()
                await self._arrived
            frame = self._frames.popleft()
            if len(self._frames) == _AHEAD:
                self._transport.resume_reading()
            self.busy = True
            try:
                response = await self._respond(frame, self._address)
            except ProtocolViolation as violation:
                return self.close(str(violation))
            except MALFORMED as error:
                return self.close(f"a request that cannot be read ({error})")
            finally:
                self.busy = False
            if response is not None:
                self._transport.write(response)
                if not self._writable.is_set():
                    await self._writable.wait()

    def _served(self, serving: asyncio.Task[None]) -> None:
        """A fault of ours costs one client its connection, and is told."""
        if not serving.cancelled() and (error := serving.exception()) is not None:
            logger.error("broker: a request of %s:%s failed", *self._peer, exc_info=error)
        self._transport.close()
