"""Asking a Prometheus on loopback: what it gives, what is said when it gives none, and that nobody waits for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from models.rates import Answer
from streams.cli import reachable
from streams.prometheus import AT_ONCE, FAILURES, REST, Prometheus
from streams.settings import Settings

WITHIN = timedelta(seconds=5)


@dataclass
class Peer:
    """Answers every query with what the test said; counts how many are under way at once."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    elapsed: float = 0.0

    async def query(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        self.asked.append(query)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        answer = self.answers.get(query)
        if answer == "hold":
            await self.hold.wait()
        self.now -= 1
        if isinstance(answer, int):
            return web.Response(status=answer, text="no")
        if isinstance(answer, str):
            return web.Response(text=answer)
        return web.json_response({"status": "success", "data": answer})


def vector(*values: str) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": {}, "value": [1.0, value]} for value in values]}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    app = web.Application()
    app.router.add_post("/api/v1/query", peer.query)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield peer
    peer.hold.set()
    await runner.cleanup()


@pytest.fixture
async def prometheus(peer: Peer) -> AsyncIterator[Prometheus]:
    prometheus = Prometheus(peer.url, monotonic=lambda: peer.elapsed)
    yield prometheus
    await prometheus.close()


@pytest.mark.parametrize(
    ("answer", "number", "why"),
    [
        (vector("0.62"), 0.62, ""),
        (vector("0.1", "0.62", "NaN"), 0.62, ""),
        ({"resultType": "scalar", "result": [1.0, "0.3"]}, 0.3, ""),
        (vector(), None, "no data"),
        (vector("NaN"), None, "no number"),
        (vector("+Inf"), None, "no number"),
        (vector("lots"), None, "no number"),
        ({"resultType": "matrix", "result": []}, None, "neither"),
        ("<html>", None, "neither"),
        ("x" * 1_500_000, None, "no end"),
        (400, None, "answered 400"),
        (302, None, "answered 302"),
        (503, None, "does not answer"),
    ],
)
async def test_an_answer(peer: Peer, prometheus: Prometheus, answer: Any, number: float | None, why: str) -> None:
    peer.answers["q"] = answer
    given = (await prometheus(["q"], WITHIN))["q"]
    assert given.value == number
    assert why in given.why


async def test_one_that_hangs_holds_up_no_other_and_nobody_for_long(peer: Peer, prometheus: Prometheus) -> None:
    peer.answers |= {"slow": "hold", "fast": vector("0.5")}
    began = time.monotonic()
    answers = await prometheus(["slow", "fast"], timedelta(milliseconds=300))
    assert time.monotonic() - began < 3
    assert answers["fast"] == Answer(0.5)
    assert answers["slow"] == Answer(None, "no answer within 0.3 s")


async def test_so_many_at_once_and_no_more(peer: Peer, prometheus: Prometheus) -> None:
    queries = [f"q{number}" for number in range(5 * AT_ONCE)]
    peer.answers |= dict.fromkeys(queries, vector("0.5"))
    answers = await prometheus(queries, WITHIN)
    assert {answer.value for answer in answers.values()} == {0.5}
    assert peer.most <= AT_ONCE


async def test_a_dead_one_is_left_alone_for_a_while(peer: Peer, prometheus: Prometheus) -> None:
    peer.answers["q"] = 503
    for _ in range(FAILURES + 3):
        assert (await prometheus(["q"], WITHIN))["q"].value is None
    assert len(peer.asked) == FAILURES
    peer.answers["q"] = vector("0.5")
    peer.elapsed += REST
    assert (await prometheus(["q"], WITHIN))["q"] == Answer(0.5)


async def test_nobody_at_the_address() -> None:
    prometheus = Prometheus("http://127.0.0.1:1")
    answer = (await prometheus(["q"], WITHIN))["q"]
    assert answer.value is None
    assert "does not answer" in answer.why
    await prometheus.close()


async def test_the_doctor_asks_as_triage_does(peer: Peer) -> None:
    assert await reachable.prometheus(Settings()) == []
    peer.answers["vector(1)"] = vector("1")
    [found] = await reachable.prometheus(Settings(prometheus_url=peer.url))
    assert (found.state, found.message) == ("ok", "answers our queries")
    peer.answers["vector(1)"] = 401
    [found] = await reachable.prometheus(Settings(prometheus_url=peer.url))
    assert (found.state, found.message[:15]) == ("warning", "it answered 401")
