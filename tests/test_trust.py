"""TOCSIN_CA_FILE holds for every outgoing TLS client: each, as its process builds it, reaches a peer that only the file
vouches for.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from models.deliveries import Delivered, DeliveryKind, Provider
from models.policy_file import parse_policy, policy_version, shipped_policy
from models.rates import Answer
from streams import topics
from streams.calendars import calendars_at
from streams.cli import policy_try
from streams.clock import utc_now
from streams.process import worker
from streams.providers import reach
from streams.settings import PolicyInForce, Settings
from streams.web.slack import PATH as PRESSES
from tests.notifiers.facts import delivery
from tests.notifiers.mailbox import PASSWORD, USER, Mailbox
from tests.notifiers.peer import API_TOKEN, HOOK_SECRET, KEY, TICKET_TOKEN, TOKEN, Peer
from tests.scenarios.oncall import policy as oncall_policy
from tests.streams.brokers import embedded_broker
from tests.streams.test_calendars import PEOPLE, ical
from tests.web.conftest import SLACK_SECRET, client_of
from tests.web.test_real import agents_at_work, web_process
from tests.web.test_slack import headers, press
from tests.web.world import webhook

OURS = ["{name: a, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}", "{name: b, targets: [{webhook: TOCSIN_NOC_WEBHOOK}]}"]
ASKING = shipped_policy("default").replace("sources: [{annotation: error_rate}]", "sources: [{query: up}]", 1)


async def publish(_: object) -> None:
    """Nothing is."""


@pytest.mark.parametrize("trusting", [True, False])
async def test_every_notifier(
    certificate: tuple[Path, Path], offered: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, *, trusting: bool
) -> None:
    monkeypatch.setattr("notifiers.email._LOOPBACK", frozenset())  # as if 127.0.0.1 were far away
    peer, policy = Peer(), parse_policy(oncall_policy(*OURS), "p.yaml")
    runner = await peer.start(offered)
    async with Mailbox(offers_tls=offered, wants_password=True) as mailbox:
        settings = Settings(
            ca_file=certificate[0] if trusting else None,
            pagerduty_events_url=peer.url,
            pagerduty_api_url=peer.url,
            pagerduty_api_token=SecretStr(API_TOKEN),
            slack_api_url=f"{peer.url}/api",
            slack_bot_token=SecretStr(TOKEN),
            smtp_url=SecretStr(f"smtp://{USER}:{PASSWORD}@127.0.0.1:{mailbox.port}"),
            email_from="tocsin@example.test",
            ticket_url=SecretStr(f"{peer.url}/tickets"),
            ticket_token=SecretStr(TICKET_TOKEN),
        )
        places = {"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY, "TOCSIN_NOC_WEBHOOK": f"{peer.url}/{HOOK_SECRET}/hook"}
        notifiers = reach(settings, policy, places, publish).notifiers
        assert not any(one.recording for one in notifiers.values())
        said = {provider: await one.check() for provider, one in notifiers.items()}
        page = await notifiers[Provider.PAGERDUTY].send(delivery(DeliveryKind.PAGE), {}, read_back=True)
        for one in notifiers.values():
            await one.close()
    await runner.cleanup()

    ours = {provider for provider, fault in said.items() if fault is None}
    refusals = [fault for fault in said.values() if fault is not None]
    assert ours == set(Provider) if trusting else {Provider.STATUSPAGE}, said
    assert all("TOCSIN_CA_FILE" in fault for fault in refusals)
    assert isinstance(page, Delivered) == trusting
    assert ("incidents" in {call for call, _ in peer.requests}) == trusting, "PagerDuty is looked back at, too"


@dataclass
class Elsewhere:
    """A server that has something for everybody, and knows who came."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/web.ics":
            return web.Response(text=ical("ana"))
        return web.json_response({"data": {"resultType": "scalar", "result": [1.0, "0.62"]}})


@pytest.fixture
async def elsewhere(offered: ssl.SSLContext) -> AsyncIterator[Elsewhere]:
    there, app = Elsewhere(), web.Application()
    app.router.add_route("*", "/{path:.*}", there.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=offered).start()
    there.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield there
    await runner.cleanup()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_broker(tmp_path_factory.mktemp("broker")) as address:
        asyncio.run(topics.declare(address))
        yield address


async def test_calendars(
    certificate: tuple[Path, Path], elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOCSIN_CALENDAR_WEB", f"{elsewhere.url}/web.ics")
    policy = parse_policy(shipped_policy("default").replace("people: {}", PEOPLE), "mine.yaml")
    read = calendars_at(Settings(ca_file=certificate[0], data_dir=tmp_path / "data"), policy, utc_now).read
    assert (await read())["web"].fault is None


async def test_prometheus(
    certificate: tuple[Path, Path], elsewhere: Elsewhere, brokers: str, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        ca_file=certificate[0],
        prometheus_url=elsewhere.url,
        database_url=SecretStr(database_url),
        data_dir=tmp_path / "data",
    )
    async with worker._opened(settings, brokers) as works:
        assert await works.lookup(["up"], timedelta(seconds=5)) == {"up": Answer(0.62)}

    found = PolicyInForce(parse_policy(ASKING, "p.yaml"), policy_version(ASKING), ASKING)
    (tmp_path / "webhook.json").write_text(json.dumps(webhook()))
    group = policy_try._read(tmp_path / "webhook.json", utc_now())
    assert await policy_try._asked(group, found, settings) == {"up": Answer(0.62)}


async def test_the_watchdog_and_the_answers_to_buttons(
    certificate: tuple[Path, Path], elsewhere: Elsewhere, brokers: str, database_url: str
) -> None:
    settings = {
        "ca_file": certificate[0],
        "heartbeat_url": SecretStr(f"{elsewhere.url}/alive"),
        "slack_api_url": f"{elsewhere.url}/api",
        "slack_signing_secret": SecretStr(SLACK_SECRET),
    }
    async with (
        agents_at_work(brokers, database_url),
        web_process(brokers, database_url, **settings) as address,
        client_of(address) as slack,
        asyncio.timeout(15),
    ):
        pressed = press("3f0d7c0e-5a54-4d0a-9a55-1d3f2b6f2f10", response_url=f"{elsewhere.url}/actions/1")
        assert (await slack.post(PRESSES, content=pressed, headers=headers(pressed))).is_success
        while not {"/alive", "/actions/1"} <= set(elsewhere.asked):
            await asyncio.sleep(0.02)
