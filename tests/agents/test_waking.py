"""Whoever sends is woken: here at once, elsewhere by one record for many commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agents.waking import Waker
from models.deliveries import Provider
from models.records import Outgoing


class Office:
    """Couriers that wait to be woken, and a topic for each provider."""

    def __init__(self) -> None:
        self.couriers = {provider: asyncio.Event() for provider in Provider}
        self.published: list[Outgoing] = []
        self.waker = Waker(self.couriers, self._publish, lambda provider: f"deliveries.{provider}")

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        self.published += records


async def test_the_couriers_of_this_process_are_woken_without_a_broker() -> None:
    office = Office()
    office.waker.wake([Provider.PAGERDUTY])
    assert [provider for provider, woken in office.couriers.items() if woken.is_set()] == [Provider.PAGERDUTY]
    assert office.published == []


async def test_many_commits_share_one_record_for_the_others() -> None:
    office = Office()
    for _ in range(3):
        office.waker.wake([Provider.SLACK, Provider.PAGERDUTY])
    assert office.waker.called.is_set()
    await office.waker.tell_others()
    assert [record.topic for record in office.published] == ["deliveries.pagerduty", "deliveries.slack"]
    assert not office.waker.called.is_set()
    await office.waker.tell_others()
    assert len(office.published) == 2
