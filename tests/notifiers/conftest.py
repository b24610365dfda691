"""A peer on loopback for every test, and the notifiers that speak with it."""

from collections.abc import AsyncIterator
from datetime import timedelta

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
async def webhooks(peer: Peer) -> AsyncIterator[WebhookNotifier]:
    urls = {"TOCSIN_NOC_WEBHOOK": f"{peer.url}/{HOOK_SECRET}/hook"}
    notifier = WebhookNotifier(urls, timeout=timedelta(seconds=0.3))
    yield notifier
    await notifier.close()
