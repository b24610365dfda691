"""The broker as a whole: what it is made of, which API goes where, and its life from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from streams.embedded.broker.connection import Connection
from streams.embedded.broker.datadir import locked
from streams.embedded.broker.fetch import fetch
from streams.embedded.broker.groups import Coordinator
from streams.embedded.broker.groups_api import GroupsApi
from streams.embedded.broker.log import Log
from streams.embedded.broker.offsets import CommittedOffsets
from streams.embedded.broker.produce import produce
from streams.embedded.broker.protocol import (
    Address,
    Api,
    api_versions_body,
    decode_body,
    decode_header,
    encode_body,
    encode_response,
)
from streams.embedded.broker.retention import retain
from streams.embedded.broker.settings import BrokerError, BrokerSettings
from streams.embedded.broker.storage import Storage
from streams.embedded.broker.topics_api import TopicsApi

_DEFAULTS = BrokerSettings()
_BACKLOG = 128


class Broker:
    """One broker on one open storage. `port` is where it listens."""

    def __init__(self, storage: Storage, settings: BrokerSettings) -> None:
        self.storage = storage
        self.settings = settings
        self.log = Log(storage, settings)
        self.offsets = CommittedOffsets(storage)
        self.coordinator = Coordinator(storage, settings)
        self.failed = asyncio.Event()
        self.port = 0
        topics, groups = TopicsApi(self.log, settings), GroupsApi(self.log, self.coordinator, self.offsets)
        self._answers = {**topics.answers, **groups.answers}
        self.connections: set[Connection] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Raises BrokerError when the address cannot be had."""
        try:
            server = await asyncio.get_running_loop().create_server(self._accept, host, port, backlog=_BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BrokerError(f"the broker cannot listen on {host}:{port}: {reason}; choose another port") from error
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def respond(self, frame: bytes, address: Address) -> bytes | None:
        """The response to one request. Raises ProtocolViolation or one of MALFORMED for what is no Kafka."""
        request = decode_header(frame, address)
        match request.api:
            case Api.PRODUCE:
                body = await produce(self.log, request)
            case Api.FETCH:
                body = await fetch(self.log, request, self.settings.max_fetch_bytes)
            case Api.API_VERSIONS:
                body = api_versions_body(request.version)
            case _:
                body = encode_body(request, await self._answers[request.api](request, decode_body(request)))
        return None if body is None else encode_response(request.correlation_id, body)

    async def close_idle(self) -> None:
        """Hang up, for ever, on clients that have said nothing for long (half-open connections, mostly)."""
        idle = self.settings.connection_idle.total_seconds()
        while True:
            await asyncio.sleep(idle / 10)
            before = asyncio.get_running_loop().time() - idle
            for connection in [one for one in self.connections if not one.busy and one.heard_at < before]:
                connection.close()

    async def hang_up(self) -> None:
        """Close all connections; what they have submitted is still written."""
        connections = list(self.connections)
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.closed()

    def _accept(self) -> Connection:
        if len(self.connections) >= self.settings.max_connections:
            oldest = min(self.connections, key=lambda connection: connection.heard_at)
            oldest.close(f"there are {len(self.connections)} connections, it was silent for longest")
        return Connection(self.respond, self.settings.max_frame_bytes, self.connections)


@asynccontextmanager
async def running(data_dir: Path, host: str, port: int, settings: BrokerSettings = _DEFAULTS) -> AsyncIterator[Broker]:
    """A broker that listens; everything acknowledged is on disk when this ends, as it is at any moment.

    Raises BrokerError when the directory or the address cannot be had.
    """
    with locked(data_dir) as path:
        storage = Storage(path)
        broker = Broker(storage, settings)
        storage.start(broker.failed.set)
        broker.coordinator.start()
        tasks: list[asyncio.Task[None]] = []
        try:
            server = await broker.listen(host, port)
            tasks.append(asyncio.create_task(retain(broker.log, broker.offsets, settings)))
            tasks.append(asyncio.create_task(broker.close_idle()))
            try:
                yield broker
            finally:
                server.close()
        finally:
            await broker.hang_up()
            for task in tasks:
                task.cancel()
            broker.coordinator.close()
            await storage.close()


async def serve_broker(
    data_dir: Path,
    host: str,
    port: int,
    ready: Callable[[int], None],
    stop: asyncio.Event,
    settings: BrokerSettings = _DEFAULTS,
) -> None:
    """Run a broker until `stop` is set; `ready` is told the port (port 0 takes a free one).

    Returns with everything flushed and the directory released. Raises BrokerError, one line for people, when it cannot
    start or cannot go on.
    """
    async with running(data_dir, host, port, settings) as broker:
        ready(broker.port)
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(broker.failed.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if broker.failed.is_set():
            raise BrokerError("the broker cannot write any more for a fault of its own; the line above says which")
