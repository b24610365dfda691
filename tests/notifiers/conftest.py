"""A peer on loopback for every test, and the notifiers that speak with it."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from notifiers.pagerduty import PagerDutyNotifier
from notifiers.slack import SlackNotifier
from notifiers.ticket import TicketNotifier
from notifiers.webhook import WebhookNotifier
from tests.notifiers.peer import API_TOKEN, HOOK_SECRET, KEY, TICKET_TOKEN, TOKEN, Peer


class ImpatientPagerDuty(PagerDutyNotifier):
    phase_seconds = 0.3


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    runner = await peer.start()
    yield peer
    peer.released.set()
    await runner.cleanup()
    assert peer.complaints == []


@pytest.fixture
async def pagerduty(peer: Peer) -> AsyncIterator[PagerDutyNotifier]:
    notifier = ImpatientPagerDuty(
        {"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY},
        events_url=peer.url,
        api_url=peer.url,
        api_token=API_TOKEN,
        client_url=lambda _: "https://tocsin.example.com/incidents/1",
    )
    yield notifier
    await notifier.close()


@pytest.fixture
async def slack(peer: Peer) -> AsyncIterator[SlackNotifier]:
    notifier = SlackNotifier(TOKEN, api_url=f"{peer.url}/api/", timeout=timedelta(seconds=0.3), buttons=True)
    yield notifier
    await notifier.close()


@pytest.fixture
async def tickets(peer: Peer) -> AsyncIterator[TicketNotifier]:
    notifier = TicketNotifier(f"{peer.url}/tickets", TICKET_TOKEN, timeout=timedelta(seconds=0.3))
    yield notifier
    await notifier.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    own, key = tmp_path / "own.pem", tmp_path / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *options.split(), "-keyout", key, "-out", own], check=True, capture_output=True)
    return own, key


@pytest.fixture
async def webhooks(peer: Peer) -> AsyncIterator[WebhookNotifier]:
    urls = {"TOCSIN_NOC_WEBHOOK": f"{peer.url}/{HOOK_SECRET}/hook"}
    notifier = WebhookNotifier(urls, timeout=timedelta(seconds=0.3))
    yield notifier
    await notifier.close()
