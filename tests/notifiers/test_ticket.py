"""Tickets as the other side sees them: one per incident, told in order, and what its answers mean."""

from datetime import timedelta

import pytest

from models.deliveries import Delivered, DeliveryKind, Refused, RetryLater
from notifiers.ticket import TicketNotifier
from tests.notifiers.facts import INCIDENT_ID, delivery, incident
from tests.notifiers.peer import TICKET_TOKEN, Fault, Peer

K = DeliveryKind


async def test_the_life_of_a_ticket(peer: Peer, tickets: TicketNotifier) -> None:
    receipts: dict[str, str] = {}
    details = []
    for kind in (K.TICKET, K.TICKET_UPDATE, K.TICKET_RESOLUTION):
        outcome = await tickets.send(delivery(kind), receipts, read_back=False)
        assert isinstance(outcome, Delivered)
        receipts |= outcome.receipts
        details.append(outcome.detail)
    assert receipts == {"ticket": "OPS-1", "ticket_url": "https://tickets.example.com/OPS-1"}
    assert details == [f"ticket OPS-1 {what}: {receipts['ticket_url']}" for what in ("opened", "updated", "resolved")]
    opened, updated, resolved = peer.tickets["OPS-1"]
    assert [one["event"] for one in (opened, updated, resolved)] == ["opened", "updated", "resolved"]
    assert [one["ticket"] for one in (opened, updated, resolved)] == [None, "OPS-1", "OPS-1"]
    assert opened["title"] == resolved["title"] == "[INC-2026-1121-001] Checkout fails"
    assert opened["incident"]["id"] == str(INCIDENT_ID)
    assert opened["incident"]["links"]["runbook"] == "https://wiki.example.com/checkout"
    assert "Runbook: https://wiki.example.com/checkout" in opened["text"]
    assert updated["text"].startswith("Somebody looks into it.")
    assert (updated["by"], opened["by"]) == ("ada", None)


async def test_a_repetition_carries_the_same_key(peer: Peer, tickets: TicketNotifier) -> None:
    told = delivery(K.TICKET)
    for read_back in (False, True):
        assert isinstance(await tickets.send(told, {}, read_back=read_back), Delivered)
    assert list(peer.ticket_answers) == [str(told.id)]


@pytest.mark.parametrize(
    ("body", "receipts"),
    [
        ({"id": 17, "url": "https://t.example/17"}, {"ticket": "17", "ticket_url": "https://t.example/17"}),
        ({"id": "", "url": "javascript:alert(1)"}, {}),
        ({"id": True, "url": ["x"]}, {}),
        ({"key": "OPS-1"}, {}),
        ({"id": "a\nb" + "x" * 300}, {"ticket": "a b" + "x" * 196 + "…"}),
    ],
)
async def test_only_an_id_and_an_address_are_believed(
    peer: Peer, tickets: TicketNotifier, body: dict, receipts: dict[str, str]
) -> None:
    peer.befall("tickets", Fault("answer", body=body))
    outcome = await tickets.send(delivery(K.TICKET), {}, read_back=False)
    assert isinstance(outcome, Delivered)
    assert outcome.receipts == receipts


async def test_no_content_is_a_yes(peer: Peer, tickets: TicketNotifier) -> None:
    peer.befall("tickets", Fault("no content", status=202, text=""))
    assert await tickets.send(delivery(K.TICKET), {}, read_back=False) == Delivered("ticket opened")


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_what_it_will_never_take_is_refused(peer: Peer, tickets: TicketNotifier, status: int) -> None:
    peer.befall("tickets", Fault("no", status=status))
    outcome = await tickets.send(delivery(K.TICKET), {}, read_back=False)
    assert outcome == Refused(f"the ticket system refused this ({status})")


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405])
async def test_what_a_person_can_correct_is_tried_again(peer: Peer, tickets: TicketNotifier, status: int) -> None:
    peer.befall("tickets", Fault("no", status=status, headers={"Location": "https://elsewhere.example/"}))
    outcome = await tickets.send(delivery(K.TICKET), {}, read_back=False)
    assert isinstance(outcome, RetryLater)
    assert (outcome.after, outcome.provider_down, outcome.unknown) == (timedelta(minutes=5), True, False)
    assert "TOCSIN_TICKET_TOKEN" in outcome.reason


async def test_the_doctor_asks_without_opening_anything(peer: Peer, tickets: TicketNotifier) -> None:
    assert await tickets.check() is None
    stranger = TicketNotifier(f"{peer.url}/tickets", "wrong")
    assert "TOCSIN_TICKET_TOKEN" in (await stranger.check() or "")
    await stranger.close()
    assert peer.tickets == {}
    assert TICKET_TOKEN not in repr(tickets)


async def test_a_token_is_never_sent_in_the_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        TicketNotifier("http://tickets.example.com/hook", "token")


async def test_text_of_alerts_stays_text(peer: Peer, tickets: TicketNotifier) -> None:
    facts = incident(title='x"}\r\n\u202e\x00<b>', links={"a": "javascript:alert(1)", "b": "https://b.example/"})
    await tickets.send(delivery(K.TICKET, facts), {}, read_back=False)
    [[opened]] = peer.tickets.values()
    assert opened["incident"]["title"] == 'x"} <b>'
    assert opened["incident"]["links"] == {"b": "https://b.example/"}
