"""What came of attempts: kept until it is written, written together, and never sent twice meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from agents import retries
from agents.delivery import Courier
from models.deliveries import Delivered, Outcome, Provider, RetryLater
from tests.agents.courier import Answering, Desk
from tests.memory import Sent


async def test_an_answer_is_not_forgotten_while_the_store_is_away() -> None:
    desk = Desk()
    page = desk.page()
    desk.store.away = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        await desk.rounds()
    desk.store.away = None
    await desk.rounds()
    assert (page.status, len(desk.notifier.asked)) == ("delivered", 1)


async def test_what_is_answered_is_not_sent_again_by_a_claim_that_comes_before_it_is_written() -> None:
    """After an outage of the store the old lease has run out."""
    desk = Desk()
    page = desk.page()
    await desk.brief_round()
    await desk.brief_round()
    assert (page.status, len(desk.notifier.asked)) == ("pending", 1)
    await desk.outcomes.write()
    assert page.status == "delivered"


async def test_what_is_written_while_a_claim_that_took_it_is_on_its_way_back_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.page()
    await desk.brief_round()
    claim = desk.store.claim

    async def overtaken(provider: str, limit: int, lease: timedelta) -> list[Sent]:
        taken = await claim(provider, limit, lease)
        await desk.outcomes.write()
        return taken

    monkeypatch.setattr(desk.store, "claim", overtaken)
    await desk.brief_round()
    assert len(desk.notifier.asked) == 1


async def test_what_all_couriers_have_done_is_written_at_once_and_wakes_whose_lanes_go_on() -> None:
    desk, slack = Desk(), Answering()
    slack.provider = Provider.SLACK
    other = Courier(slack, desk.store, desk.outcomes, lambda: desk.now)
    for courier in (desk.courier, other):
        desk.outcomes.note(desk.page(str(courier.notifier.provider)), Delivered("sent"), None)
    desk.message("pagerduty")
    written: list[int] = []
    finish = desk.store.finish

    async def counted(finished: Sequence[tuple[Any, Outcome, timedelta | None]]) -> set[Provider]:
        written.append(len(finished))
        return await finish(finished)

    desk.store.finish = counted  # type: ignore[method-assign]
    await desk.outcomes.write()
    await desk.outcomes.write()
    assert written == [2]
    assert (desk.courier.woken.is_set(), other.woken.is_set()) == (True, False)
    assert (desk.outcomes.told.is_set(), desk.outcomes.came.is_set()) == (True, False)


async def test_a_retry_is_knocked_for_once_it_is_due_however_late_its_outcome_was_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "backoff", lambda *_: timedelta(0))
    desk = Desk()
    desk.page()
    desk.notifier.answers = [RetryLater("no answer")]
    await desk.brief_round()
    await desk.brief_round()
    desk.courier.woken.clear()
    await desk.outcomes.write()
    async with asyncio.timeout(5):
        await desk.courier.woken.wait()
