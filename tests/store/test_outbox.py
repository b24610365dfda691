"""The outbox: order within a lane, urgency between lanes, leases, and what an acknowledgement takes back."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, PageFacts, Refused, RetryLater, Urgency
from models.severity import Severity
from models.signals import EscalateRequested
from models.store.outbox import Claimed
from tests.store.desk import LEASE, Desk, alerts

KEY = "shop/checkout"
NOW = timedelta(0)
SENT = Delivered("sent")
BUSY = RetryLater("429")
RESET = RetryLater("connection reset", unknown=True)


async def claim(desk: Desk, provider: str = "pagerduty", limit: int = 10, lease: timedelta = LEASE) -> list[Claimed]:
    return await desk.store.outbox.claim(provider, limit, lease)


async def finish(desk: Desk, outcome: Outcome, *claims: Claimed, wait: timedelta = NOW) -> None:
    await desk.store.outbox.finish([(one, outcome, wait) for one in claims])


async def statuses(desk: Desk, provider: str = "pagerduty") -> list[tuple[str, str]]:
    rows = await desk.rows("SELECT kind, status FROM delivery WHERE provider = %s ORDER BY seq", provider)
    return [(row["kind"], row["status"]) for row in rows]


async def test_a_lane_keeps_its_order_and_lanes_do_not_wait_for_each_other(desk: Desk, other_desk: Desk) -> None:
    await desk.handle(alerts("a"), alerts("b"))
    sent: list[tuple[str, str]] = []
    for _ in range(3):
        claims = await asyncio.gather(claim(desk, "slack"), claim(other_desk, "slack"))
        heads = [one for claimed in claims for one in claimed]
        assert len({one.delivery.lane for one in heads}) == len(heads) == 2
        assert await claim(desk, "slack") == []
        await finish(desk, SENT, *heads)
        sent += [(one.delivery.incident_key, one.delivery.kind) for one in heads]
    for key in ("a", "b"):
        assert [kind for owner, kind in sent if owner == key] == ["channel", "announcement", "initial_report"]
    assert await claim(desk, "slack") == []


async def test_a_lane_that_waits_holds_up_what_comes_after_it(desk: Desk) -> None:
    await desk.handle(alerts())
    await finish(desk, BUSY, *await claim(desk, "slack"), wait=timedelta(hours=1))
    assert await claim(desk, "slack") == []
    await desk.rows("UPDATE delivery SET next_at = now()")
    [head] = await claim(desk, "slack")
    assert (head.delivery.kind, head.attempts, head.unknown) == (DeliveryKind.CHANNEL, 1, False)


async def test_urgent_ones_go_first(desk: Desk) -> None:
    await desk.handle(*(alerts(f"quiet-{number}") for number in range(10)))
    await desk.rows("UPDATE delivery SET urgency = 2")
    await desk.handle(alerts("loud"))
    [first] = await claim(desk, limit=1)
    assert first.delivery.incident_key == "loud"


async def test_a_crash_in_mid_attempt_comes_back_as_unknown(desk: Desk) -> None:
    await desk.handle(alerts())
    [lost] = await claim(desk, lease=NOW)
    [found] = await claim(desk)
    assert (lost.unknown, found.unknown, found.attempts) == (False, True, 1)
    await finish(desk, BUSY, lost)  # a late retry of the one that lost its lease counts no more
    assert await statuses(desk) == [("page", "sending")]
    await finish(desk, SENT, lost)  # but that it was delivered is a fact
    assert await statuses(desk) == [("page", "delivered")]


async def test_receipts_of_an_incident_are_handed_to_its_next_send(desk: Desk) -> None:
    await desk.handle(alerts("a"), alerts("b"))
    first = {one.delivery.incident_key: one for one in await claim(desk, "slack")}
    await desk.store.outbox.finish(
        [
            (first["a"], Delivered("made", {"channel": "C1", "odd": "nul\x00"}), None),
            (first["b"], Delivered("made", {"channel": "C2"}), None),
        ]
    )
    second = {one.delivery.incident_key: one for one in await claim(desk, "slack")}
    assert dict(second["a"].receipts) == {"channel": "C1", "odd": "nul\ufffd"}
    await finish(desk, Delivered("posted", {"announcement_ts": "1.2"}), second["a"])
    [third] = await claim(desk, "slack")
    assert dict(third.receipts) == {"channel": "C1", "odd": "nul\ufffd", "announcement_ts": "1.2"}
    assert [dict(one.receipts) for one in await claim(desk)] == [{}, {}]


async def test_an_acknowledgement_takes_back_a_page_that_was_never_sent(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.acknowledge(KEY)
    assert await statuses(desk) == [("page", "cancelled"), ("page_acknowledge", "cancelled")]
    await desk.resolve(KEY)
    assert (await statuses(desk))[-1] == ("page_resolve", "cancelled")
    assert await claim(desk) == []


async def test_within_one_batch_too(desk: Desk) -> None:
    await desk.handle(alerts(), alerts(status="resolved"))
    assert await statuses(desk) == [("page", "cancelled"), ("page_resolve", "cancelled")]


async def test_a_page_under_way_is_followed_by_its_own_acknowledge(desk: Desk) -> None:
    await desk.handle(alerts())
    under_way = await claim(desk)
    await desk.acknowledge(KEY)
    assert await statuses(desk) == [("page", "sending"), ("page_acknowledge", "pending")]
    await finish(desk, SENT, *under_way)
    [answer] = await claim(desk)
    assert answer.delivery.kind is DeliveryKind.PAGE_ACKNOWLEDGE


async def test_a_page_under_way_that_did_not_go_out_is_not_tried_again(desk: Desk) -> None:
    await desk.handle(alerts())
    under_way = await claim(desk)
    await desk.acknowledge(KEY)
    await finish(desk, BUSY, *under_way)
    assert await statuses(desk) == [("page", "cancelled"), ("page_acknowledge", "cancelled")]


async def test_a_page_that_may_have_gone_out_is_not_tried_again_but_acknowledged(desk: Desk) -> None:
    for key, lease in (("reset", LEASE), ("crashed", NOW), ("waiting", LEASE)):
        await desk.handle(alerts(key))
        [under_way] = await claim(desk, lease=lease)
        if key == "waiting":
            await finish(desk, RESET, under_way)
        await desk.acknowledge(key)
        if key == "reset":
            await finish(desk, RESET, under_way)
        [answer] = [*await claim(desk), *await claim(desk)]
        assert answer.delivery.kind is DeliveryKind.PAGE_ACKNOWLEDGE
        await finish(desk, SENT, answer)
    assert set(await statuses(desk)) == {("page", "cancelled"), ("page_acknowledge", "delivered")}


async def test_a_delivered_page_is_acknowledged(desk: Desk) -> None:
    await desk.handle(alerts())
    await finish(desk, SENT, *await claim(desk))
    await desk.acknowledge(KEY)
    assert await statuses(desk) == [("page", "delivered"), ("page_acknowledge", "pending")]


async def fates(desk: Desk) -> list[tuple[str, str]]:
    rows = await desk.rows("SELECT status, detail FROM delivery WHERE kind = 'page' ORDER BY ordinal")
    return [(row["status"], row["detail"]) for row in rows]


async def test_the_next_level_supersedes_a_page_that_was_never_sent(desk: Desk) -> None:
    await desk.handle(alerts())
    await finish(desk, BUSY, *await claim(desk))
    await desk.escalate(KEY, "manager")
    assert await fates(desk) == [
        ("cancelled", "superseded by the page to manager before it could be sent"),
        ("pending", ""),
    ]
    [only] = await claim(desk)
    assert only.delivery.page is not None
    assert only.delivery.page.level == "manager"


async def test_within_one_batch_the_last_level_is_paged(desk: Desk) -> None:
    opening = alerts()
    escalated = [
        EscalateRequested(
            id=uuid.uuid4(), key=KEY, incident_id=uuid.uuid5(opening.id, "incident"), by="ana", via="api", level=level
        )
        for level in ("secondary", "manager")
    ]
    await desk.handle(opening, *escalated)
    assert await fates(desk) == [
        ("cancelled", "superseded by the page to secondary before it could be sent"),
        ("cancelled", "superseded by the page to manager before it could be sent"),
        ("pending", ""),
    ]


async def test_a_superseded_page_that_may_have_gone_out_is_not_sent_again_but_resolved(desk: Desk) -> None:
    await desk.handle(alerts("reset"), alerts("crashed"), alerts("waiting"))
    claims = {one.delivery.incident_key: one for one in await claim(desk)}
    await finish(desk, RESET, claims["waiting"])
    for key in claims:
        await desk.escalate(key, "manager")
    await finish(desk, RESET, claims["reset"])
    await desk.rows("UPDATE delivery SET next_at = now() WHERE status = 'sending'")
    levels = [one.delivery.page.level for one in [*await claim(desk), *await claim(desk)] if one.delivery.page]
    assert levels == ["manager"] * 3
    said = {detail for status, detail in await fates(desk) if status == "cancelled"}
    assert said == {
        "superseded by the page to manager before it could be sent; an attempt may have reached people all the same"
    }
    for key in claims:
        await desk.resolve(key)
    assert (await statuses(desk)).count(("page_resolve", "pending")) == 6, "of both pages of each"


async def test_a_superseded_page_that_went_out_after_all_was_delivered(desk: Desk) -> None:
    await desk.handle(alerts())
    under_way = await claim(desk)
    await desk.escalate(KEY, "manager")
    await finish(desk, SENT, *under_way)
    assert await fates(desk) == [("delivered", "sent"), ("pending", "")]


async def test_acknowledging_and_failing_attempts_contend_without_a_page_after_it(desk: Desk, other_desk: Desk) -> None:
    keys = [f"k{number}" for number in range(25)]
    await desk.handle(*(alerts(key) for key in keys))

    async def courier() -> None:
        while claims := await claim(other_desk, limit=7):
            await finish(other_desk, BUSY, *claims)

    async def people() -> None:
        for key in keys:
            await desk.acknowledge(key)

    await asyncio.gather(courier(), people())
    assert set(await statuses(desk)) == {("page", "cancelled"), ("page_acknowledge", "cancelled")}


async def test_an_edit_is_outdone_by_a_later_one_and_by_no_other_message(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.update(KEY, "one")
    await desk.update(KEY, "two")
    await desk.handle(alerts(name="x"), alerts(name="y"))
    edits = [status for kind, status in await statuses(desk, "slack") if kind == "refresh"]
    assert edits == ["cancelled", "cancelled", "pending"]
    assert [kind for kind, status in await statuses(desk, "slack") if status == "pending"] == [
        "channel", "announcement", "initial_report", "status_update", "status_update", "refresh",
    ]  # fmt: skip


async def test_how_pages_fared_is_told_until_it_was_told(desk: Desk) -> None:
    await desk.handle(alerts("good"), alerts("bad"), alerts("late"))
    claims = {one.delivery.incident_key: one for one in await claim(desk)}
    await finish(desk, Delivered("accepted"), claims["good"])
    await finish(desk, Refused("wrong key"), claims["bad"])
    await desk.store.outbox.enqueue(a_test_page())
    day = timedelta(days=1)
    told = await desk.store.outbox.reports(10, day, NOW)
    assert {(one.delivery.incident_key, one.outcome, one.detail) for one in told} == {
        ("good", "delivered", "accepted"),
        ("bad", "refused", "wrong key"),
    }
    assert await desk.store.outbox.reports(10, day, NOW) == told
    [first] = await desk.store.outbox.reports(1, day, NOW)
    assert first.outcome == "refused", "what somebody has to act on is told before what went well"
    assert await desk.store.outbox.reports(10, day, day) == [first], "good news can wait, bad news cannot"
    await desk.store.outbox.reported(told)
    [late] = await desk.store.outbox.reports(10, NOW, NOW)
    assert (late.delivery.incident_key, late.outcome) == ("late", "delayed")
    await desk.store.outbox.reported([late])
    assert await desk.store.outbox.reports(10, NOW, NOW) == []
    await finish(desk, SENT, claims["late"])
    [finally_] = await desk.store.outbox.reports(10, NOW, NOW)
    assert finally_.outcome == "delivered"


async def test_a_test_page_belongs_to_no_incident(desk: Desk) -> None:
    page = a_test_page()
    await desk.store.outbox.enqueue(page)
    await desk.store.outbox.enqueue(page)
    [claimed] = await claim(desk)
    assert claimed.delivery == page
    await finish(desk, Delivered("accepted", {"dedup_key": "d"}), claimed)
    row = await desk.store.reads.delivery(page.id)
    assert row is not None
    assert (row.status, row.level, row.test, row.incident_id) == ("delivered", "primary", True, None)
    assert await desk.store.outbox.reports(10, NOW, NOW) == []


async def test_a_low_severity_pages_nobody(desk: Desk) -> None:
    await desk.handle(alerts(severity=Severity.SEV4))
    assert await claim(desk) == []


def a_test_page() -> Delivery:
    page = PageFacts(1, "primary", "TOCSIN_PAGERDUTY_ROUTING_KEY", f"test/{uuid.uuid4()}", test=True)
    return Delivery(uuid.uuid4(), None, "", DeliveryKind.PAGE, page.dedup_key, Urgency.PAGE, page=page)


async def test_a_lease_that_was_lost_is_not_renewed(desk: Desk, other_desk: Desk) -> None:
    await desk.handle(alerts())
    lost = await claim(desk, lease=NOW)
    await claim(other_desk, lease=NOW)
    await desk.store.outbox.renew(lost, timedelta(hours=1))
    [found] = await claim(other_desk)
    assert found.attempts == 2, "it is as the second courier left it"


async def test_the_age_of_a_delivery_is_told_by_the_database(desk: Desk) -> None:
    await desk.handle(alerts())
    await desk.rows("UPDATE delivery SET created_at = now() - interval '2 hours'")
    [head] = await claim(desk)
    assert timedelta(hours=2) <= head.age < timedelta(hours=3)


async def test_a_renewed_lease_is_nobody_elses(desk: Desk) -> None:
    await desk.handle(alerts())
    under_way = await claim(desk, lease=NOW)
    await desk.store.outbox.renew(under_way, LEASE)
    assert await claim(desk) == []
    await finish(desk, SENT, *under_way)
    assert await statuses(desk) == [("page", "delivered")]
