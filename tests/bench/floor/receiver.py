"""The floor's receiver: 202 once the broker has the body."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.topics import MAX_RECORD_BYTES
from tests.bench.floor.topics import WEBHOOKS


@contextlib.asynccontextmanager
async def producing(brokers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with the promises that ours makes: idempotent, acks=all."""
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True, linger_ms=0, max_request_size=MAX_RECORD_BYTES
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def receive(brokers: str, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    async with producing(brokers) as producer:

        async def take(request: Request) -> Response:
            await producer.send_and_wait(WEBHOOKS, await request.body())
            return Response(status_code=202)

        app = Starlette(routes=[Route("/webhooks/alertmanager", take, methods=["POST"])])
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            config = uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                timeout_keep_alive=300,
                access_log=False,
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
            await stop.wait()
            server.should_exit = True
            await serving
