"""Which handoffs were told: kept, and moved on by one worker only."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from models.deliveries import Delivery, DeliveryKind, Message, Urgency
from tests.store.desk import Desk, alerts


def note(name: str = "payments") -> Delivery:
    return Delivery(
        id=uuid.uuid4(),
        incident_id=None,
        incident_key=f"handoff/{name}",
        kind=DeliveryKind.HANDOFF,
        lane=f"handoff/{name}",
        urgency=Urgency.PROMPT,
        message=Message(""),
    )


async def test_a_schedule_begins_at_the_present_and_keeps_its_mark(desk: Desk, other_desk: Desk) -> None:
    now, first = await desk.store.handoffs.marks(["payments", "web"])
    assert set(first) == {"payments", "web"}
    assert all(abs(now - upto) < timedelta(seconds=5) for upto in first.values())
    later, again = await other_desk.store.handoffs.marks(["payments"])
    assert (again["payments"], later > now) == (first["payments"], True)


async def test_of_several_workers_that_found_a_handoff_one_tells_it(desk: Desk, other_desk: Desk) -> None:
    now, marks = await desk.store.handoffs.marks(["payments"])
    stores = [desk.store, other_desk.store] * 4
    told = await asyncio.gather(
        *(one.handoffs.tell("payments", marks["payments"], now + timedelta(seconds=1), [note()]) for one in stores)
    )
    assert sorted(told) == [False] * 7 + [True]
    assert await desk.value("SELECT count(*) FROM delivery") == 1
    _, moved = await desk.store.handoffs.marks(["payments"])
    assert moved["payments"] == now + timedelta(seconds=1)


async def test_what_happened_is_what_is_open_or_changed_since_with_its_pages(desk: Desk) -> None:
    await desk.handle(alerts("shop/checkout", service="checkout"), alerts("shop/search", service="search"))
    await desk.escalate("shop/checkout")
    await desk.resolve("shop/search")
    now = await desk.store.reads.now()
    happened = await desk.store.handoffs.happened(now - timedelta(hours=1))
    [checkout], [search] = happened["checkout"], happened["search"]
    assert (len(checkout.paged_at), checkout.resolved_at) == (2, None)
    assert search.resolved_at is not None
    assert set(await desk.store.handoffs.happened(now + timedelta(hours=1))) == {"checkout"}


async def test_a_note_comes_back_from_the_outbox_as_it_was(desk: Desk) -> None:
    now, marks = await desk.store.handoffs.marks(["payments"])
    sent = note()
    assert await desk.store.handoffs.tell("payments", marks["payments"], now, [sent])
    [claimed] = await desk.store.outbox.claim("slack", 10, timedelta(seconds=30))
    assert claimed.delivery == sent
