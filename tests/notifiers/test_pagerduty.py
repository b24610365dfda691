"""PagerDuty: the life of a page, and what only PagerDuty does."""

import ssl
from pathlib import Path

import pytest

from models.deliveries import Delivered, Delivery, DeliveryKind, PageFacts, Refused, RetryLater
from models.severity import Severity
from notifiers.pagerduty import PagerDutyNotifier
from tests.notifiers.facts import INCIDENT_ID, TURN, delivery, incident
from tests.notifiers.peer import KEY, Fault, Peer

K = DeliveryKind
DEDUP_KEY = f"{INCIDENT_ID}/1"


async def test_a_page_is_triggered_acknowledged_and_resolved(pagerduty: PagerDutyNotifier, peer: Peer) -> None:
    for kind, state in ((K.PAGE, "triggered"), (K.PAGE_ACKNOWLEDGE, "acknowledged"), (K.PAGE_RESOLVE, "resolved")):
        outcome = await pagerduty.send(delivery(kind), {}, read_back=False)
        assert isinstance(outcome, Delivered)
        assert outcome.receipts == ({"page/1": DEDUP_KEY} if kind is K.PAGE else {})
        assert peer.alerts == {DEDUP_KEY: state}
    assert peer.pages == [DEDUP_KEY]


async def test_a_page_that_was_resolved_meanwhile_is_not_opened_again(pagerduty: PagerDutyNotifier, peer: Peer) -> None:
    """Its answer was lost, somebody resolved it in PagerDuty's app, and the retry must not wake them again."""
    peer.befall("enqueue", Fault("reset after", reset=True, processed=True))
    page = delivery(K.PAGE)
    first = await pagerduty.send(page, {}, read_back=False)
    assert isinstance(first, RetryLater)
    peer.alerts[DEDUP_KEY] = "resolved"
    second = await pagerduty.send(page, {}, read_back=first.unknown)
    assert isinstance(second, Delivered)
    assert second.receipts == {"page/1": DEDUP_KEY}
    assert peer.pages == [DEDUP_KEY]


async def test_a_page_goes_out_though_nobody_can_look_whether_it_did_before(
    pagerduty: PagerDutyNotifier, peer: Peer
) -> None:
    peer.befall("incidents", Fault("down", status=500))
    assert isinstance(await pagerduty.send(delivery(K.PAGE), {}, read_back=True), Delivered)
    assert peer.pages == [DEDUP_KEY]


async def test_what_a_responder_sees(pagerduty: PagerDutyNotifier, peer: Peer) -> None:
    await pagerduty.send(delivery(K.PAGE, message=TURN), {}, read_back=False)
    [(_, event)] = peer.requests
    assert event["payload"]["summary"] == "SEV1 P0 Checkout fails (INC-2026-1121-001)"
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["class"] == "HighErrorRate"
    assert event["payload"]["custom_details"]["runbook"] == "https://wiki.example.com/checkout"
    assert event["payload"]["custom_details"]["why"] == ["the error rate of 63 % is above 50 %"]
    assert event["payload"]["custom_details"]["paged_because"] == "not acknowledged"
    assert event["payload"]["custom_details"]["acknowledge_by"] == "2026-11-21 14:08 UTC, or the next level is paged"
    assert event["payload"]["custom_details"]["acknowledge"] == "tocsin ack INC-2026-1121-001"
    assert event["links"][0]["text"] == "Runbook"
    assert event["client"] == "Tocsin"
    assert event["client_url"] == "https://tocsin.example.com/incidents/1"


async def test_what_is_not_known_is_left_out(peer: Peer) -> None:
    notifier = PagerDutyNotifier({"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY}, events_url=peer.url)
    await notifier.send(delivery(K.PAGE, incident(alertname="")), {}, read_back=False)
    await notifier.close()
    [(_, event)] = peer.requests
    assert "client_url" not in event, "no public URL is configured"
    assert "class" not in event["payload"], "a person declared it"


@pytest.mark.parametrize(
    ("severity", "expected"), [("SEV1", "critical"), ("SEV2", "error"), ("SEV3", "warning"), ("SEV4", "info")]
)
async def test_severities_map(pagerduty: PagerDutyNotifier, peer: Peer, severity: str, expected: str) -> None:
    await pagerduty.send(delivery(K.PAGE, incident(severity=Severity(severity))), {}, read_back=False)
    assert peer.requests[0][1]["payload"]["severity"] == expected


async def test_a_test_page_says_so_first_and_needs_no_incident(pagerduty: PagerDutyNotifier, peer: Peer) -> None:
    page = PageFacts(1, "primary", "TOCSIN_PAGERDUTY_ROUTING_KEY", "test/1", test=True)
    outcome = await pagerduty.send(_bare(page), {}, read_back=False)
    assert isinstance(outcome, Delivered)
    assert peer.requests[0][1]["payload"]["summary"].startswith("TEST PAGE")
    assert peer.requests[0][1]["payload"]["severity"] == "info"


def _bare(page: PageFacts) -> Delivery:
    return delivery(K.PAGE, page=page, incident=None, incident_id=None)


async def test_a_level_without_a_key_is_refused_by_the_name_to_set(pagerduty: PagerDutyNotifier) -> None:
    page = PageFacts(2, "secondary", "TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY", "x/2")
    outcome = await pagerduty.send(_bare(page), {}, read_back=False)
    assert outcome == Refused("no routing key for level secondary; set TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY")


async def test_a_refused_event_gives_pagerdutys_words_but_not_the_key(peer: Peer) -> None:
    notifier = PagerDutyNotifier({"TOCSIN_PAGERDUTY_ROUTING_KEY": "too-short-to-be-a-key"}, events_url=peer.url)
    outcome = await notifier.send(delivery(K.PAGE), {}, read_back=False)
    await notifier.close()
    assert isinstance(outcome, Refused)
    assert "invalid event" in outcome.reason
    assert "too-short-to-be-a-key" not in outcome.reason


async def test_the_check_pages_nobody(pagerduty: PagerDutyNotifier, peer: Peer) -> None:
    assert await pagerduty.check() is None
    assert peer.pages == []
    peer.befall("enqueue", Fault("gone", status=403))
    answer = await pagerduty.check()
    assert answer is not None
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY" in answer


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(ValueError, match="TOCSIN_PAGERDUTY_EVENTS_URL must begin with https"):
        PagerDutyNotifier({"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY}, events_url="http://events.example.com")


async def test_a_certificate_that_is_trusted_and_one_that_is_not(
    certificate: tuple[Path, Path], offered: ssl.SSLContext
) -> None:
    own, _ = certificate
    peer = Peer()
    runner = await peer.start(offered)
    keys = {"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY}
    stranger = PagerDutyNotifier(keys, events_url=peer.url)
    trusting = PagerDutyNotifier(keys, events_url=peer.url, tls=ssl.create_default_context(cafile=own))
    outcome = await stranger.send(delivery(K.PAGE), {}, read_back=False)
    assert isinstance(outcome, RetryLater)
    assert "TOCSIN_CA_FILE" in outcome.reason
    assert not outcome.unknown
    assert isinstance(await trusting.send(delivery(K.PAGE), {}, read_back=False), Delivered)
    for notifier in (stranger, trusting):
        await notifier.close()
    await runner.cleanup()
    assert peer.pages == [DEDUP_KEY]
