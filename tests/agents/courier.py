"""A courier on a desk of its own: no provider, no clock and no wait but the story's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

from agents import delivery
from agents.delivery import Courier
from agents.outcomes import Outcomes
from models.deliveries import (
    Delivered,
    Delivery,
    DeliveryKind,
    Outcome,
    PageFacts,
    Provider,
    Receipts,
    Urgency,
)
from models.records import Outgoing
from models.signals import DeliveryReported, decode_signal
from tests.memory import MemoryStore, Sent
from tests.world import T0


class Answering:
    """A notifier that answers what it is told to, and remembers what it was asked."""

    provider = Provider.PAGERDUTY
    recording = False

    def __init__(self) -> None:
        self.answers: list[Outcome | BaseException] = []
        self.asked: list[tuple[str, bool]] = []
        self.silent = False

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        self.asked.append((delivery.lane, read_back))
        if self.silent:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else Delivered("sent")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def check(self) -> str | None:
        return None

    async def close(self) -> None: ...


class Desk:
    """A courier between a store in memory and a notifier that answers as the story says."""

    def __init__(self) -> None:
        self.now = T0
        self.store = MemoryStore(lambda: self.now)
        self.notifier = Answering()
        self.signals: list[DeliveryReported] = []
        self.outcomes = Outcomes(self.store)
        self.courier = Courier(self.notifier, self.store, self.outcomes, lambda: self.now)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            signal = decode_signal(record.value)
            assert isinstance(signal, DeliveryReported)
            self.signals.append(signal)

    def page(self, lane: str = "one/1") -> Sent:
        incident_id = uuid.uuid5(uuid.NAMESPACE_OID, lane)
        page = PageFacts(1, "primary", "TOCSIN_PAGERDUTY_ROUTING_KEY", lane)
        intent = Delivery(uuid.uuid4(), incident_id, "key", DeliveryKind.PAGE, lane, Urgency.PAGE, page=page)
        sent = Sent(intent, created_at=self.now)
        self.store.outbox.append(sent)
        return sent

    def message(self, lane: str = "one/1") -> Sent:
        """What is no page; of a kind that this desk's one provider takes."""
        sent = Sent(
            Delivery(uuid.uuid4(), uuid.uuid4(), "key", DeliveryKind.PAGE_RESOLVE, lane, Urgency.PROMPT),
            created_at=self.now,
        )
        self.store.outbox.append(sent)
        return sent

    async def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            await self.brief_round()
            await self.courier.drain()
            if self.outcomes.told.is_set():
                self.outcomes.told.clear()
                await delivery.report(self.store, self.publish, "incident.signals")

    async def brief_round(self) -> None:
        """One that does not wait for what it has started."""
        asyncio.get_running_loop().call_soon(self.courier.woken.set)
        await self.courier.work()
