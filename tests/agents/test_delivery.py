"""The courier: what it does with every answer of a provider, without a provider, a clock or a wait of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agents import delivery, retries
from agents.breaker import FAILURES_TO_OPEN, Circuit
from models.deliveries import (
    Refused,
    RetryLater,
)
from models.records import Record
from tests.agents.courier import Desk
from tests.memory import Sent
from tests.world import T0


async def test_a_delivered_page_is_reported_as_a_signal() -> None:
    desk = Desk()
    page = desk.page()
    await desk.rounds()
    assert page.status == "delivered"
    assert [signal.outcome for signal in desk.signals] == ["delivered"]


async def test_a_refused_page_is_reported_with_its_reason() -> None:
    desk = Desk()
    desk.notifier.answers = [Refused("no such key")]
    desk.page()
    await desk.rounds()
    assert [(signal.outcome, signal.detail) for signal in desk.signals] == [("refused", "no such key")]


async def test_an_attempt_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    page = desk.page()
    desk.notifier.silent = True
    monkeypatch.setattr(delivery, "ATTEMPT_WITHIN", timedelta(0))
    await desk.rounds()
    assert (page.status, page.unknown, page.detail) == ("pending", True, "pagerduty is too slow")


@pytest.mark.parametrize("step", [delivery.RENEW_EVERY, -timedelta(hours=1)])
async def test_after_an_outage_leases_are_renewed_before_anything_is_claimed(step: timedelta) -> None:
    """Also when the clock was set back meanwhile."""
    desk = Desk()
    desk.page()
    desk.notifier.silent = True
    await desk.brief_round()
    desk.now += step
    before_claim: list[list[str]] = []

    async def watched(provider: str, limit: int, lease: timedelta) -> list[Sent]:
        before_claim.append(list(desk.store.renewed))
        return []

    desk.store.claim = watched  # type: ignore[method-assign]
    await desk.brief_round()
    assert before_claim == [["one/1"]]


async def test_a_shutdown_keeps_the_leases_of_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RENEW_EVERY", timedelta(milliseconds=1))
    monkeypatch.setattr(delivery, "ATTEMPT_WITHIN", timedelta(milliseconds=50))
    desk = Desk()
    desk.page()
    desk.notifier.silent = True
    await desk.brief_round()
    desk.now += timedelta(seconds=1)
    await desk.courier.drain()
    assert desk.store.renewed == ["one/1"], "once: the clock of this story stands still"


async def test_what_the_provider_asks_for_is_honoured_before_it_is_tried_again() -> None:
    desk = Desk()
    desk.notifier.answers = [RetryLater("429", after=timedelta(hours=1))]
    message = desk.message()
    await desk.rounds()
    assert message.due_at is not None
    assert message.due_at >= T0 + timedelta(hours=1)
    await desk.rounds()
    assert len(desk.notifier.asked) == 1
    desk.now = message.due_at
    await desk.rounds()
    assert message.status == "delivered"


async def test_a_page_is_tried_again_after_a_minute_whatever_the_provider_asks_for() -> None:
    desk = Desk()
    desk.notifier.answers = [RetryLater("429", after=timedelta(hours=1)), RetryLater("429", after=timedelta(seconds=9))]
    page = desk.page()
    await desk.rounds()
    assert page.due_at == T0 + retries.PAGE_WAITS_AT_MOST
    desk.now = page.due_at
    await desk.rounds()
    assert page.due_at == desk.now + timedelta(seconds=9)


async def test_what_fails_for_a_day_is_given_up_and_its_lane_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    stuck, behind = desk.message(), desk.message()
    desk.notifier.answers = [RetryLater("no such channel")]
    await desk.rounds()
    assert stuck.due_at is not None
    desk.now = T0 + retries.GIVE_UP_AFTER
    desk.notifier.answers = [RetryLater("no such channel")]
    await desk.rounds(2)
    assert (stuck.status, stuck.detail) == ("refused", "given up after 24 h: no such channel")
    assert behind.status == "delivered"
    assert "given up after 24 h: no such channel" in caplog.text


async def test_what_is_old_but_gets_through_is_delivered() -> None:
    desk = Desk()
    message = desk.message()
    desk.now += 2 * retries.GIVE_UP_AFTER
    await desk.rounds()
    assert message.status == "delivered"


async def test_a_page_is_never_given_up() -> None:
    """While the incident waits for people. What does not, withdraws it (models/step.py)."""
    desk = Desk()
    page = desk.page()
    desk.now += 10 * retries.GIVE_UP_AFTER
    desk.notifier.answers = [RetryLater("no answer")]
    await desk.rounds()
    assert page.status == "pending"


async def test_an_unknown_outcome_is_read_back() -> None:
    desk = Desk()
    desk.notifier.answers = [RetryLater("reset", unknown=True, provider_down=True)]
    page = desk.page()
    await desk.rounds()
    assert page.due_at is not None
    desk.now = page.due_at
    await desk.rounds()
    assert desk.notifier.asked == [("one/1", False), ("one/1", True)]


async def test_a_notifier_that_raises_is_an_unknown_outcome_and_stops_nobody_else() -> None:
    desk = Desk()
    desk.notifier.answers = [ZeroDivisionError("a bug")]
    first, second = desk.page("one/1"), desk.page("two/1")
    await desk.rounds(2)
    assert (first.status, first.unknown, second.status) == ("pending", True, "delivered")


async def test_a_provider_that_is_down_is_left_alone_and_probed_with_one() -> None:
    desk = Desk()
    desk.notifier.answers = [RetryLater("no answer", provider_down=True)] * (FAILURES_TO_OPEN + 1)
    for number in range(20):
        desk.page(f"{number}/1")
    desk.courier.pace.width = FAILURES_TO_OPEN
    await desk.rounds(5)
    assert len(desk.notifier.asked) == FAILURES_TO_OPEN
    assert desk.courier.breaker.open_until is not None
    desk.now = desk.courier.breaker.open_until
    await desk.rounds(5)
    assert len(desk.notifier.asked) == FAILURES_TO_OPEN + 1, "one probe, which fails"
    assert desk.courier.breaker.circuit is Circuit.OPEN
    desk.now = desk.courier.breaker.open_until + timedelta(minutes=10)
    await desk.rounds(30)
    assert {sent.status for sent in desk.store.outbox} == {"delivered"}


async def test_a_429_slows_down_and_is_no_outage() -> None:
    desk = Desk()
    desk.notifier.answers = [RetryLater("429")] * 20
    for number in range(20):
        desk.page(f"{number}/1")
    await desk.rounds(3)
    assert desk.courier.pace.width < desk.courier.most
    assert desk.courier.breaker.circuit is Circuit.CLOSED


async def test_a_late_page_is_reported_once() -> None:
    """POLICY 13, 32: told by a second way while it is tried on."""
    desk = Desk()
    desk.page()
    desk.now += delivery.LATE_AFTER
    for _ in range(3):
        await delivery.report(desk.store, desk.publish, "incident.signals")
    assert [signal.outcome for signal in desk.signals] == ["delayed"]


async def test_a_wake_up_is_only_a_knock() -> None:
    desk = Desk()
    await desk.courier.wake([Record("deliveries.pagerduty", 0, 0, None, None)])
    assert desk.courier.woken.is_set()


@pytest.mark.parametrize("attempts", [0, 3, 50])
def test_the_backoff_grows_to_a_limit_and_never_undercuts_the_provider(attempts: int) -> None:
    message = Desk().message().delivery
    own = retries.backoff(message, attempts, RetryLater("x"))
    assert timedelta(0) < own <= retries.LONGEST_BACKOFF
    assert retries.backoff(message, attempts, RetryLater("x", after=timedelta(hours=1))) >= timedelta(hours=1)


async def test_a_courier_that_is_spared_goes_on_with_few_at_once() -> None:
    desk = Desk()
    desk.courier.spared = lambda: True
    pages = [desk.page(f"{number}/1") for number in range(delivery.SPARED + 1)]
    await desk.rounds()
    assert [page.status for page in pages] == ["delivered"] * delivery.SPARED + ["pending"]
    await desk.rounds()
    assert pages[-1].status == "delivered"


async def test_a_retry_that_is_near_is_not_forgotten_over_a_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SWEEP_EVERY", timedelta(hours=1))
    monkeypatch.setattr(retries, "backoff", lambda *_: timedelta(milliseconds=100))
    desk = Desk()
    page = desk.page()
    desk.notifier.answers = [RetryLater("no answer")]
    await desk.rounds()
    await desk.brief_round()  # knocked at, and finds nothing that is due
    desk.now += timedelta(seconds=1)
    async with asyncio.timeout(5):
        await desk.courier.work()  # until it is due
    await desk.rounds()
    assert page.status == "delivered"


async def test_an_attempt_that_is_cut_off_is_read_back_and_ends_a_probe() -> None:
    desk = Desk()
    desk.courier.breaker.circuit, desk.courier.breaker.open_until = Circuit.OPEN, desk.now
    page = desk.page()
    desk.notifier.answers = [asyncio.CancelledError()]
    await desk.rounds()
    desk.now += timedelta(seconds=1)
    await desk.rounds()
    assert (page.status, desk.notifier.asked[1:]) == ("delivered", [("one/1", True)])


async def test_rounds_of_messages_keep_a_distance() -> None:
    desk = Desk()
    desk.courier.round_every = timedelta(milliseconds=20)
    began = asyncio.get_running_loop().time()
    await desk.brief_round()
    assert asyncio.get_running_loop().time() - began >= 0.02
