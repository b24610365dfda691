"""A real uvicorn on a free port, in front of a world in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from streams.settings import Settings
from streams.values import Bind
from streams.web.serve import serve_web
from tests.web.world import World

API_TOKEN = "api-secret"
SENDERS = {"prod": "prod-secret", "staging": "staging-secret"}
PAGERDUTY_SECRETS = ("test-secret-1", "rotated-secret-2")
SLACK_SECRET = "slack-signing-secret"


@contextlib.asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The address of a server in front of `world`."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    server = asyncio.create_task(serve_web(world.ports(), address.set_result, stop))
    try:
        waiting: set[asyncio.Future[Any]] = {server, address}
        await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            server.result()
        yield address.result()
    finally:
        stop.set()
        await asyncio.wait_for(server, 15)


def client_of(address: str, token: str | None = None, timeout: float = 5) -> httpx.AsyncClient:
    """Whatever proxy this machine has does not stand before it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=timeout, trust_env=False)


@pytest.fixture
def settings() -> Settings:
    return Settings(
        web_bind=Bind("127.0.0.1", 0),
        webhook_tokens={sender: SecretStr(token) for sender, token in SENDERS.items()},
        api_token=SecretStr(API_TOKEN),
        pagerduty_webhook_secret=tuple(map(SecretStr, PAGERDUTY_SECRETS)),
        slack_signing_secret=SecretStr(SLACK_SECRET),
        public_url="https://status.example.test",
    )


@pytest.fixture
def world(settings: Settings) -> World:
    return World(settings)


@pytest.fixture
async def address(world: World) -> AsyncIterator[str]:
    async with served(world) as address:
        yield address


@pytest.fixture
async def api(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, with its token."""
    async with client_of(address, API_TOKEN) as client:
        yield client


@pytest.fixture
async def sender(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """An Alertmanager, with its token."""
    async with client_of(address, SENDERS["prod"]) as client:
        yield client


@pytest.fixture
async def anybody(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_of(address) as client:
        yield client
