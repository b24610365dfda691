"""Starting and stopping, and the ways in which starting is refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest
from pydantic import SecretStr

from streams.settings import Settings, SettingsError
from streams.values import Bind
from streams.web import protocol
from streams.web.serve import serve_web
from tests.web.conftest import client_of, served
from tests.web.world import World, webhook


async def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = Bind("127.0.0.1", other.getsockname()[1])
        with pytest.raises(SettingsError, match=f"TOCSIN_WEB_BIND={bind}: the port is in use") as refusal:
            await serve_web(World(Settings(web_bind=bind)).ports(), lambda _: None, asyncio.Event())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("tokens", "api_token", "missing"),
    [
        ({}, None, "set TOCSIN_WEBHOOK_TOKENS and TOCSIN_API_TOKEN"),
        ({"prod": SecretStr("x")}, None, "set TOCSIN_API_TOKEN"),
        ({}, SecretStr("x"), "set TOCSIN_WEBHOOK_TOKENS"),
    ],
)
async def test_other_machines_are_not_let_in_without_tokens(
    tokens: dict[str, SecretStr], api_token: SecretStr | None, missing: str
) -> None:
    settings = Settings(web_bind=Bind("0.0.0.0", 0), webhook_tokens=tokens, api_token=api_token)
    with pytest.raises(SettingsError, match=missing):
        await serve_web(World(settings).ports(), lambda _: None, asyncio.Event())


async def test_a_host_that_does_not_exist_is_said() -> None:
    settings = Settings(
        web_bind=Bind("127.0.0.1.invalid", 0), webhook_tokens={"a": SecretStr("b")}, api_token=SecretStr("c")
    )
    with pytest.raises(SettingsError, match=r"TOCSIN_WEB_BIND=127\.0\.0\.1\.invalid:0"):
        await serve_web(World(settings).ports(), lambda _: None, asyncio.Event())


async def test_a_webhook_in_flight_is_finished_before_the_end() -> None:
    world = World(Settings(web_bind=Bind("127.0.0.1", 0)))
    arrived, release = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        arrived.set()
        await release.wait()

    world.broken = slow
    async with httpx.AsyncClient(trust_env=False) as client:
        async with served(world) as address:
            post = asyncio.create_task(client.post(f"{address}/webhooks/alertmanager", json=webhook()))
            await asyncio.wait_for(arrived.wait(), 5)
            asyncio.get_running_loop().call_later(0.2, release.set)
        assert (await post).status_code == 202


async def test_a_head_without_end_is_cut_off() -> None:
    async with served(World(Settings(web_bind=Bind("127.0.0.1", 0)))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):  # noqa: PT012 (some write of many is cut off)
            async with asyncio.timeout(20):
                for _ in range(64):
                    writer.write(b"a" * 1024 * 1024)
                    await writer.drain()
                await reader.read()
        writer.close()


async def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.3)
    async with served(World(Settings(web_bind=Bind("127.0.0.1", 0)))) as url, asyncio.timeout(10):
        port = httpx.URL(url).port
        async with client_of(url) as patient:
            assert (await patient.get("/health/live")).is_success
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health/li")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert (await patient.get("/health/live")).is_success, "a connection that is kept alive is no such"
