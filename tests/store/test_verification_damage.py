"""`tocsin verify` over a real ledger: every kind of damage is found."""

from __future__ import annotations

import uuid
from datetime import timedelta

from models.deliveries import Delivered
from models.findings import FindingKind
from models.severity import Priority, Severity
from tests.store.desk import LEASE, POLICY
from tests.store.shop import KEY, Shop


async def test_deadlines(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    acknowledge = "WHERE name = 'acknowledge' AND status = 'pending'"
    [row] = await shop.desk.rows(f"SELECT * FROM deadline {acknowledge}")
    one = f"WHERE id = '{row['id']}'"
    assert await shop.damage(f"UPDATE deadline SET status = 'fired', ended_at = now() {one}") == ["deadline-lost"]
    assert await shop.damage(f"UPDATE deadline SET status = 'pending', ended_at = NULL {one}") == []
    assert await shop.damage(f"UPDATE deadline SET due_at = due_at + interval '1 hour' {one}") == ["deadline-changed"]
    assert await shop.damage(f"DELETE FROM deadline {one}") == ["deadline-lost"]
    gone = (
        "UPDATE deadline SET status = 'pending', ended_at = NULL WHERE status = 'superseded' AND name = 'acknowledge'"
    )
    assert await shop.damage(gone) == ["deadline-lost", "deadline-unknown"]


async def test_a_deadline_that_was_ended_otherwise(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.reach("acknowledge")
    await shop.send()
    assert await shop.found() == []
    assert await shop.damage("UPDATE deadline SET status = 'cancelled' WHERE status = 'fired'") == ["deadline-changed"]


async def test_deadlines_of_nobody_and_overdue_ones(shop: Shop) -> None:
    stray = f"""
        INSERT INTO deadline (id, owner_id, topic, key, name, due_at, status, next_at)
        VALUES ('{uuid.uuid4()}', '{uuid.uuid4()}', 'incident.signals', 'x', 'stale', now() + interval '1 day',
                'pending', now() + interval '1 day')
    """
    assert await shop.damage(stray) == ["deadline-unknown"]
    await shop.desk.rows("DELETE FROM deadline")
    await shop.alert()
    await shop.send()
    clock = POLICY.acknowledgement_clock(Severity.SEV1, Priority.P0)
    assert clock is not None
    assert await shop.kinds(clock + timedelta(minutes=1, seconds=30)) == []
    assert await shop.kinds(clock + timedelta(minutes=2, seconds=30)) == ["deadline-overdue"]


async def test_the_log(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    last = await shop.desk.value("SELECT max(seq) FROM event")
    assert await shop.damage(f"DELETE FROM event WHERE seq = {last}") == ["log-broken"]
    assert await shop.damage("DELETE FROM event WHERE seq = 2") == ["log-broken"]
    assert await shop.damage("DELETE FROM event WHERE seq = 1") == ["log-broken"]


async def test_an_event_that_cannot_be_read(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    assert await shop.damage("UPDATE event SET body = '{}' WHERE seq = 2") == ["log-broken"]


async def test_a_state_that_is_not_its_logs(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    changed = "UPDATE incident SET state = jsonb_set(state::jsonb, '{title}', '\"other\"')::json"
    assert await shop.damage(changed) == ["state-differs"]
    [finding] = await shop.found()
    assert "title" in finding.message
    assert await shop.damage("UPDATE incident SET state = '{}'") == ["state-differs"]


async def test_what_an_older_version_did_not_keep_is_no_difference(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.desk.rows("UPDATE incident SET state = (state::jsonb - 'paged_at' - 'escalated_at')::json")
    assert await shop.found() == []


async def test_reopenings_that_an_older_version_did_not_count_are_no_difference(shop: Shop) -> None:
    async def reopen() -> None:
        await shop.alert(status="resolved")
        await shop.alert()
        await shop.send()

    await shop.alert()
    await shop.send()
    await reopen()
    await shop.desk.rows("UPDATE incident SET state = (state::jsonb - 'flaps')::json")
    assert await shop.found() == []
    await reopen()
    assert await shop.found() == [], "one is counted"
    another = "UPDATE incident SET state = jsonb_set(state::jsonb, '{flaps,reopened,0}', '\"2026-01-01T00:00Z\"')::json"
    assert await shop.damage(another) == ["state-differs"]


async def test_pages_that_are_not_there(shop: Shop) -> None:
    await shop.alert()
    assert await shop.damage("UPDATE delivery SET status = 'cancelled', ended_at = now() WHERE kind = 'page'") == [
        "page-lost"
    ]
    assert await shop.damage("DELETE FROM delivery WHERE kind = 'page'") == ["page-lost"]


async def test_a_page_worthy_incident_without_a_page(shop: Shop) -> None:
    await shop.alert(Severity.SEV4)
    await shop.send()
    raised = "UPDATE {} = jsonb_set({}::jsonb, '{{priority}}', '\"P0\"')::json"
    await shop.desk.rows(raised.format("incident SET state", "state"))
    changed = raised.format("event SET body", "body") + " WHERE seq = 1"
    assert await shop.damage(changed) == ["not-paged"]


async def test_a_page_that_waits_and_nobody_says_so(shop: Shop) -> None:
    await shop.alert()
    assert await shop.kinds(timedelta(seconds=80)) == []
    [finding] = await shop.found(timedelta(seconds=100))
    assert finding.kind is FindingKind.PAGE_LATE
    assert "has not been delivered" in finding.message


async def test_pages_that_were_late(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    late = "UPDATE delivery SET ended_at = ended_at + interval '{} seconds' WHERE kind = 'page'"
    assert await shop.damage(late.format(35)) == [], "tried in time; it is the provider that was slow"
    tried = "UPDATE delivery SET first_attempt_at = ended_at WHERE kind = 'page'"
    assert await shop.damage(tried) == ["page-late"]


async def test_an_alert_that_waited_for_us(shop: Shop) -> None:
    await shop.alert(received_at=await shop.desk.store.reads.now() - timedelta(minutes=2))
    await shop.send()
    assert await shop.kinds() == ["page-late"]


async def test_a_receipt_that_was_never_told(shop: Shop) -> None:
    await shop.alert()
    claimed = await shop.desk.store.outbox.claim("pagerduty", 5, LEASE)
    await shop.desk.store.outbox.finish([(one, Delivered("sent"), None) for one in claimed])
    assert await shop.kinds(timedelta(seconds=50)) == []
    assert await shop.kinds(timedelta(seconds=70)) == ["page-untold"]


async def test_two_pages_for_one_step(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    names = [row["column_name"] for row in await shop.desk.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'delivery' AND is_generated = 'NEVER'"
        " AND column_name NOT IN ('id', 'seq')"
    )]  # fmt: skip
    listed = ", ".join(names)
    again = f"INSERT INTO delivery (id, {listed}) SELECT '{uuid.uuid4()}', {listed} FROM delivery WHERE kind = 'page'"
    assert await shop.damage(again) == ["paged-twice"]
    assert await shop.damage("UPDATE delivery SET ordinal = 7 WHERE attempts = 1 AND kind = 'page'") == [
        "page-lost",
        "paged-twice",
        "paged-twice",
    ]


async def test_answers_that_never_went_out(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.desk.acknowledge(KEY)
    cancelled = "UPDATE delivery SET status = 'cancelled', ended_at = now() WHERE kind = 'page_acknowledge'"
    assert await shop.damage(cancelled) == ["answer-lost"]
    assert await shop.damage("DELETE FROM delivery WHERE kind = 'page_acknowledge'") == ["answer-lost"]


async def test_every_finding_says_what_to_do(shop: Shop) -> None:
    await shop.alert()
    await shop.desk.rows("DELETE FROM delivery WHERE kind = 'page'")
    [finding] = await shop.found()
    assert finding.number.startswith("INC-")
    assert finding.evidence["event"]
    assert "tocsin escalate" in finding.remedy
