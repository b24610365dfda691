"""What everybody may see: the status page, health, metrics, the API's page; and what every answer carries."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from models.statuspage_api import API_DOCUMENTS
from models.store.errors import Unavailable
from models.store.rows import Figures
from streams.web import status_page
from streams.web.figures import RecentFigures
from streams.web.metrics import WebMetrics
from tests.peers.browser import Browser
from tests.web.world import World, webhook

Client = httpx.AsyncClient
SECRETS_OF_THE_HOUSE = ("HighErrorRate", "INTERNAL", "alice", "prod", "runbook")


async def outage(sender: Client) -> None:
    trouble = webhook()
    trouble["alerts"][0]["annotations"] = {"summary": "INTERNAL: db-7 out of memory", "runbook_url": "https://runbook/"}
    assert (await sender.post("/webhooks/alertmanager", json=trouble)).status_code == 202


async def test_the_status_page_tells_customers_and_only_what_is_for_them(
    sender: Client, api: Client, anybody: Client, world: World
) -> None:
    assert "All systems operational" in (await anybody.get("/")).text
    await outage(sender)
    number = (await api.get("/api/v1/incidents")).json()["incidents"][0]["number"]
    told = {"message": "We have found the cause.", "stage": "identified", "actions": "INTERNAL restart", "by": "alice"}
    await api.post(f"/api/v1/incidents/{number}/updates", json=told)
    assert "We have found the cause." not in (await anybody.get("/")).text  # asked a moment ago
    world.ahead += status_page.FRESH_FOR
    shown = await anybody.get("/")
    assert "We have found the cause." in shown.text
    assert "Major outage" in shown.text
    summary = (await anybody.get("/api/v2/summary.json")).json()
    assert summary["status"]["indicator"] == "critical"
    [incident] = summary["incidents"]
    assert [update["status"] for update in incident["incident_updates"]] == ["identified", "investigating"]
    assert incident["shortlink"] == f"https://status.example.test/#{number}"
    for path in ("/", "/status", "/history.atom", *(f"/api/v2/{document}" for document in API_DOCUMENTS)):
        answer = await anybody.get(path)
        assert answer.status_code == 200, path
        for word in SECRETS_OF_THE_HOUSE:
            assert word not in answer.text, (path, word)

    await api.post(f"/api/v1/incidents/{number}/resolve")
    world.ahead += status_page.FRESH_FOR
    assert "resolved after" in (await anybody.get("/")).text
    assert (await anybody.get("/api/v2/incidents/unresolved.json")).json()["incidents"] == []


async def test_the_feed_is_atom(sender: Client, anybody: Client) -> None:
    await outage(sender)
    answer = await anybody.get("/history.atom")
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.text)
    ids = [entry.findtext("{*}id") for entry in feed.findall("{*}entry")]
    assert len(ids) == 1
    assert str(ids[0]).startswith("tag:status.example.test,2005:Incident/")


@pytest.mark.parametrize("path", ["/", "/history.atom", "/api/v2/summary.json"])
async def test_a_reader_that_has_the_page_is_told_so(anybody: Client, path: str) -> None:
    first = await anybody.get(path)
    again = await anybody.get(path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age" in first.headers["Cache-Control"]
    assert (await anybody.head(path)).status_code == 200


async def test_the_page_stays_up_while_the_database_is_down(sender: Client, anybody: Client, world: World) -> None:
    world.reads.away = Unavailable("gone")
    assert (await anybody.get("/")).status_code == 503
    world.reads.away = None
    await outage(sender)
    assert "Major outage" in (await anybody.get("/")).text
    world.reads.away = Unavailable("gone")
    for _ in range(3):
        world.ahead += status_page.FRESH_FOR
        assert "Major outage" in (await anybody.get("/")).text


async def test_ready_says_what_is_missing(anybody: Client, world: World) -> None:
    well = await anybody.get("/health/ready")
    assert (well.status_code, well.json()["status"]) == (200, "ready")
    assert set(well.json()["recording"]) == {"pagerduty", "slack"}
    assert "only recorded" in well.json()["hint"]

    async def away() -> None:
        raise KafkaConnectionError

    world.broken = away
    no_broker = await anybody.get("/health/ready")
    assert (no_broker.status_code, no_broker.json()["broker"]) == (503, "unreachable (KafkaConnectionError)")
    world.broken, world.reads.away = None, Unavailable("password=hunter2")
    world.ahead += timedelta(seconds=2)
    no_database = await anybody.get("/health/ready")
    assert (no_database.status_code, no_database.json()["database"]) == (503, "unreachable (Unavailable)")
    assert "hunter2" not in no_database.text
    assert (await anybody.get("/health/live")).status_code == 200


async def test_metrics_count_what_happened(sender: Client, anybody: Client, world: World) -> None:
    await outage(sender)
    await sender.post("/webhooks/alertmanager", content=b"alert!")
    shown = (await anybody.get("/metrics")).text
    for line in (
        'tocsin_webhooks_total{outcome="accepted",sender="prod"} 1.0',
        'tocsin_webhooks_total{outcome="refused",sender="prod"} 1.0',
        'tocsin_webhooks_refused_total{reason="json"} 1.0',
        'tocsin_incidents_open{severity="SEV1"} 1.0',
        "tocsin_database_up 1.0",
        'tocsin_http_answers_total{area="receiver",status="4xx"} 1.0',
    ):
        assert line in shown, line
    assert 'tocsin_deliveries_refused{provider="slack"}' in shown
    world.reads.away = Unavailable("gone")
    world.ahead += timedelta(seconds=2)
    gone = (await anybody.get("/metrics")).text
    for line in (
        "tocsin_database_up 0.0",
        "tocsin_database_lookups_failed_total 1.0",
        "tocsin_deadlines_due NaN",
        "tocsin_oldest_pending_page_seconds NaN",
    ):
        assert line in gone, line
    for name in ("tocsin_incidents_open", "tocsin_deliveries_pending", "tocsin_deliveries_refused"):
        assert f"{name}{{" not in gone, name


async def test_however_often_anybody_asks_the_store_is_asked_once_in_two_seconds(world: World) -> None:
    asked = 0
    figures = world.reads.figures
    held = asyncio.Event()

    async def counted() -> Figures:
        nonlocal asked
        asked += 1
        await held.wait()
        return await figures()

    recent = RecentFigures(counted, WebMetrics(), world.monotonic)
    crowd = [asyncio.create_task(recent.read()) for _ in range(20)]
    await asyncio.sleep(0)
    crowd[0].cancel()  # its client went away; the answer is for the others, too
    held.set()
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError, *[Figures] * 19]
    await recent.read()
    assert asked == 1
    world.ahead += timedelta(seconds=2)
    world.reads.away = Unavailable("gone")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await recent.read()
    assert asked == 2
    world.reads.away = None
    world.ahead += timedelta(seconds=2)
    assert await recent.read() == Figures()


async def test_the_apis_page_needs_nothing_from_elsewhere(anybody: Client) -> None:
    page = await anybody.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"<script|<link|<img|@import|url\(|https?://", page.text)
    spec: dict[str, Any] = (await anybody.get("/openapi.json")).json()
    for path in spec["paths"]:
        assert path in page.text
    assert "POLICY" not in page.text + str(spec)
    assert '<a href="#TimelineEntry">list of TimelineEntry</a>' in page.text
    assert {"/webhooks/alertmanager", "/webhooks/pagerduty", "/api/v1/incidents/{number}/acknowledge"} <= set(
        spec["paths"]
    )


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/nowhere", "/webhooks/alertmanager", "/api/v1/incidents", "/health/live"]
)
async def test_every_answer_is_guarded_and_named(anybody: Client, path: str) -> None:
    answer = await anybody.get(path, headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == "abc-1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Server" not in answer.headers
    other = await anybody.get(path, headers=[(b"X-Request-ID", "<b>\u00e9".encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", other.headers["X-Request-ID"])


async def test_a_bug_of_ours_is_no_traceback(anybody: Client, world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.reads.away = ZeroDivisionError("in the store")
    answer = await anybody.get("/api/v2/summary.json")
    assert answer.status_code == 500
    assert answer.json()["error"] == "this is a bug in Tocsin"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("path", "shown"), [("/docs", "/api/v1/incidents/{number}/escalate"), ("/", "Major outage")])
async def test_a_browser_shows_it_under_our_content_policy(
    browser: Browser, sender: Client, address: str, tmp_path: Path, path: str, shown: str
) -> None:
    await outage(sender)
    assert shown in await asyncio.to_thread(browser.dom, address + path)
    styled, plain = tmp_path / "styled.png", tmp_path / "plain.png"
    await asyncio.to_thread(browser.screenshot, address + path, styled)
    (tmp_path / "plain.html").write_text("<p>plain")
    await asyncio.to_thread(browser.screenshot, (tmp_path / "plain.html").as_uri(), plain)
    assert styled.stat().st_size > 2 * plain.stat().st_size
