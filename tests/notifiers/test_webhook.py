"""Pages to webhooks as the other side sees them, and what its answers mean."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.deliveries import Delivered, Delivery, DeliveryKind, PageFacts, Refused, RetryLater
from notifiers.webhook import WebhookNotifier
from tests.notifiers.facts import HOOK, INCIDENT_ID, TURN, delivery, incident
from tests.notifiers.peer import HOOK_SECRET, Fault, Peer

K = DeliveryKind
WHO = "the webhook TOCSIN_NOC_WEBHOOK"


def page(facts: PageFacts = HOOK, **changes: Any) -> Delivery:
    return delivery(K.PAGE, page=facts, message=TURN, **changes)


async def test_what_a_page_says(peer: Peer, webhooks: WebhookNotifier) -> None:
    told = page()
    assert await webhooks.send(told, {}, read_back=False) == Delivered(f"taken by {WHO}")
    [(key, said)] = peer.hooked.items()
    assert key == said["event_id"] == str(told.id)
    assert (said["event"], said["level"], said["reason"]) == ("page", "noc", "not acknowledged")
    assert said["acknowledge_by"] == "2026-11-21T14:08:00+00:00"
    assert said["title"] == "PAGE noc: SEV1 [INC-2026-1121-001] Checkout fails"
    assert "Acknowledge by: 2026-11-21 14:08 UTC" in said["text"]
    assert said["incident"]["id"] == str(INCIDENT_ID)
    assert said["incident"]["links"]["runbook"] == "https://wiki.example.com/checkout"


async def test_a_test_page_says_that_nothing_is_wrong(peer: Peer, webhooks: WebhookNotifier) -> None:
    told = page(replace(HOOK, test=True), incident=None, incident_id=None)
    assert isinstance(await webhooks.send(told, {}, read_back=False), Delivered)
    [said] = peer.hooked.values()
    assert (said["event"], said["incident"]) == ("test", None)
    assert said["title"] == "TEST PAGE to noc: nothing is wrong"


async def test_a_repetition_carries_the_same_key(peer: Peer, webhooks: WebhookNotifier) -> None:
    told = page()
    for read_back in (False, True):
        assert isinstance(await webhooks.send(told, {}, read_back=read_back), Delivered)
    assert list(peer.hooked) == [str(told.id)]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 410, 422])
async def test_what_will_not_take_it_is_refused_so_that_the_next_level_is_paged(
    peer: Peer, webhooks: WebhookNotifier, status: int
) -> None:
    peer.befall("hook", Fault("no", status=status, headers={"Location": "https://elsewhere.example/"}))
    outcome = await webhooks.send(page(), {}, read_back=False)
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith(WHO)


async def test_a_variable_that_is_not_set_is_refused_by_name(webhooks: WebhookNotifier) -> None:
    outcome = await webhooks.send(page(replace(HOOK, webhook="TOCSIN_OTHER")), {}, read_back=False)
    assert outcome == Refused("no webhook for level noc; set TOCSIN_OTHER")


async def test_one_of_several_that_is_down_opens_no_breaker_for_the_others(peer: Peer) -> None:
    urls = dict.fromkeys(("TOCSIN_NOC_WEBHOOK", "TOCSIN_OTHER"), f"{peer.url}/{HOOK_SECRET}/hook")
    notifier = WebhookNotifier(urls, timeout=timedelta(seconds=0.3))
    peer.befall("hook", Fault("unavailable", status=503))
    outcome = await notifier.send(page(), {}, read_back=False)
    await notifier.close()
    assert isinstance(outcome, RetryLater)
    assert not outcome.provider_down


async def test_the_doctor_asks_without_paging_anybody(peer: Peer, webhooks: WebhookNotifier) -> None:
    assert await webhooks.check() is None
    assert peer.hooked == {}
    peer.befall("hook", Fault("unavailable", status=503))
    assert await webhooks.check() == f"{WHO} answered 503; check TOCSIN_NOC_WEBHOOK"


@pytest.mark.parametrize("url", ["http://noc.example.com/hook", "noc.example.com", "https://", "https://h:x/"])
def test_an_address_that_is_not_safe_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(ValueError, match=r"^TOCSIN_NOC_WEBHOOK must begin with https://"):
        WebhookNotifier({"TOCSIN_NOC_WEBHOOK": url})


async def test_text_of_alerts_stays_text(peer: Peer, webhooks: WebhookNotifier) -> None:
    facts = incident(title='x"}\r\n\u202e\x00<b>', links={"a": "javascript:alert(1)", "b": "https://b.example/"})
    await webhooks.send(delivery(K.PAGE, facts, page=HOOK), {}, read_back=False)
    [said] = peer.hooked.values()
    assert said["incident"]["title"] == 'x"} <b>'
    assert said["incident"]["links"] == {"b": "https://b.example/"}
