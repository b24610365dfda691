"""`tocsin verify` over a real ledger: a sound history shows nothing, and every kind of damage is found."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from agents import delivery
from models.deliveries import Delivered, Outcome, Provider, Refused, RetryLater
from models.findings import Finding, FindingKind
from models.records import Outgoing
from models.review_signals import ActionItemRequested, PostmortemCompleted
from models.severity import Priority, Severity
from models.signals import ReassignRequested, SeverityRequested, decode_signal
from models.store.verification import Evidence
from streams.verify import Examiner
from tests.store.desk import LEASE, POLICY, Desk, OnePolicy, alerts, reached

KEY = "shop/checkout"
DOWN = RetryLater("no answer", provider_down=True)
KEPT = timedelta(days=90)


class Later(Evidence):
    """As if it were later by now."""

    ahead = timedelta(0)

    async def now(self) -> datetime:
        return await super().now() + self.ahead


@dataclass
class Shop:
    """One desk with couriers: what happens to one incident, and what `tocsin verify` says of it."""

    desk: Desk

    async def alert(self, severity: Severity = Severity.SEV1, **changes: Any) -> None:
        received_at = changes.pop("received_at", None) or await self.desk.store.reads.now()
        await self.desk.handle(alerts(KEY, severity, received_at=received_at, **changes))

    async def send(self, outcome: Outcome = Delivered("sent")) -> None:  # noqa: B008 (frozen)
        """One attempt at everything that waits; then how the pages fared is told."""
        outbox = self.desk.store.outbox
        await self.desk.rows("UPDATE delivery SET next_at = now() WHERE status = 'pending'")
        for provider in Provider:
            while claimed := await outbox.claim(provider, 50, LEASE):
                await outbox.finish([(one, outcome, timedelta(hours=1)) for one in claimed])
        await delivery.report(outbox, self._publish, "incident.signals")

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        await self.desk.handle(*(decode_signal(record.value) for record in records))

    async def reach(self, name: str) -> None:
        """The deadline of that name comes due."""
        await self.desk.rows("UPDATE deadline SET next_at = now() WHERE name = %s AND ended_at IS NULL", name)
        for due in await self.desk.store.ledger.claim_due(10, LEASE):
            await self.desk.handle(reached(await self.desk.one("SELECT * FROM deadline WHERE id = %s", due.id)))

    async def found(self, ahead: timedelta = timedelta(0)) -> list[Finding]:
        evidence = Later(self.desk.store.evidence._database)
        evidence.ahead = ahead
        return list((await Examiner(evidence, OnePolicy(), KEPT).whole(KEPT)).findings)

    async def kinds(self, ahead: timedelta = timedelta(0)) -> list[str]:
        return sorted(one.kind.value for one in await self.found(ahead))

    async def damage(self, statement: str) -> list[str]:
        """What is found after a change behind Tocsin's back."""
        await self.desk.rows(statement)
        return await self.kinds()


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


# --- sound histories


async def test_nothing_is_found_where_nothing_was(shop: Shop) -> None:
    assert await shop.found() == []


async def test_an_incident_from_page_to_reopening(shop: Shop) -> None:
    await shop.alert()
    assert await shop.found() == [], "a page under way"
    await shop.send()
    await shop.reach("acknowledge")
    await shop.send()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    await shop.desk.resolve(KEY)
    assert await shop.found() == [], "answers under way"
    await shop.send()
    await shop.alert(name="another")
    await shop.send()
    assert await shop.desk.value("SELECT count(*) FROM event WHERE kind = 'incident_reopened'") == 1
    assert await shop.found() == []


async def test_an_incident_that_flaps_is_held_and_pages_nobody_anew(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    for _ in range(3):
        await shop.alert(status="resolved")
        await shop.alert()
        await shop.send()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    for _ in range(2):
        await shop.alert(status="resolved")
        assert await shop.kinds() == [], "held"
        await shop.alert()
    assert await shop.desk.value("SELECT count(*) FROM event WHERE kind = 'level_paged'") == 4
    await shop.alert(status="resolved")
    await shop.reach("calm")
    await shop.send()
    assert await shop.desk.value("SELECT status FROM incident") == "resolved"
    assert await shop.found() == []


async def test_a_person_escalates_twice_to_the_same_level(shop: Shop) -> None:
    await shop.alert()
    for _ in range(2):
        await shop.send()
        await shop.desk.escalate(KEY, "primary")
    await shop.send()
    assert await shop.found() == []


async def test_a_person_gives_it_another_chain(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    for chain in ("default", None):
        incident_id = await shop.desk.incident_id(KEY)
        asked = ReassignRequested(
            id=uuid.uuid4(), key=KEY, incident_id=incident_id, by="ana", via="api", policy_version="p1", chain=chain
        )
        await shop.desk.handle(asked)
    await shop.reach("acknowledge")
    await shop.send()
    assert await shop.found() == []


async def test_a_severity_that_falls_and_rises(shop: Shop) -> None:
    await shop.alert(Severity.SEV2)
    await shop.send()
    for severity in (Severity.SEV4, Severity.SEV1):
        incident_id = await shop.desk.incident_id(KEY)
        asked = SeverityRequested(
            id=uuid.uuid4(), key=KEY, incident_id=incident_id, by="ana", via="api", severity=severity, reason="so"
        )
        await shop.desk.handle(asked)
        await shop.send()
    assert await shop.desk.value("SELECT count(*) FROM delivery WHERE kind = 'page'") == 2
    assert await shop.found() == []


async def test_a_provider_is_down_and_the_next_level_supersedes(shop: Shop) -> None:
    await shop.alert()
    await shop.send(DOWN)
    await shop.desk.rows("UPDATE delivery SET created_at = created_at - interval '31 seconds' WHERE kind = 'page'")
    await shop.send(DOWN)
    assert await shop.kinds(timedelta(minutes=1, seconds=50)) == [], "told by the second way that it is late"
    await shop.reach("acknowledge")
    assert await shop.desk.value("SELECT status FROM delivery WHERE kind = 'page' AND ordinal = 1") == "cancelled"
    await shop.send()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    assert await shop.found() == []


async def test_a_refused_page_goes_to_the_next_level(shop: Shop) -> None:
    await shop.alert()
    await shop.send(Refused("wrong key"))
    assert await shop.found() == []


async def test_somebody_had_it_before_the_page_was_sent(shop: Shop) -> None:
    await shop.alert()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    assert await shop.found() == []


async def test_an_incident_for_which_another_pages(shop: Shop) -> None:
    await shop.alert()
    await shop.desk.handle(alerts("child", Severity.SEV2, received_at=await shop.desk.store.reads.now()))
    await shop.send()
    assert await shop.found() == []
    await shop.reach("attachment")
    await shop.desk.resolve(KEY)
    await shop.send()
    await shop.reach("attachment")
    await shop.send()
    assert (await shop.desk.kinds(await shop.desk.incident_id("child")))[-3:-1] == ["incident_detached", "level_paged"]
    assert await shop.found() == []
    seen = '{"kind": "alerts_seen", "stale_due": "2030-01-01T00:00:00Z"}'
    damage = f"UPDATE event SET kind = 'alerts_seen', body = '{seen}' WHERE kind = 'incident_attached'"
    assert "not-paged" in await shop.damage(damage)


async def test_a_new_generation_and_an_incident_that_pages_nobody(shop: Shop) -> None:
    await shop.alert(Severity.SEV4)
    await shop.desk.resolve(KEY)
    await shop.send()
    assert await shop.found() == []


async def test_a_postmortem_that_comes_due_and_an_action_item(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.desk.resolve(KEY)
    await shop.send()
    assert await shop.found() == [], "the review has not heard of it yet"
    await shop.desk.follow(*await shop.desk.store.log.unpublished(100))
    incident_id = await shop.desk.incident_id(KEY)
    owed: dict[str, Any] = {"key": str(incident_id), "incident_id": incident_id, "by": "ana", "via": "api"}
    await shop.desk.review(
        ActionItemRequested(
            id=uuid.uuid4(),
            number="INC-1",
            title="Alert on it",
            owner="bo",
            due_at=await shop.desk.store.reads.now() + timedelta(days=2),
            priority=Priority.P2,
            policy_version="p1",
            **owed,
        )
    )
    await shop.desk.review(reached(await shop.desk.one("SELECT * FROM deadline WHERE name = 'postmortem'")))
    assert await shop.found() == []
    await shop.desk.review(PostmortemCompleted(id=uuid.uuid4(), url="https://wiki.test/1", **owed))
    assert await shop.found() == []
    await shop.alert(name="again")
    await shop.send()
    assert await shop.found() == [], "reopened, which the review has not heard of yet"
    await shop.desk.follow(*await shop.desk.store.log.unpublished(100))
    assert await shop.found() == []
    assert await shop.damage("DELETE FROM deadline WHERE name LIKE '%%/reminder' AND ended_at IS NULL") == [
        "deadline-lost"
    ]
    assert await shop.damage("DELETE FROM review") == ["deadline-lost", "state-differs"]


async def test_what_retention_has_taken_is_not_missed(shop: Shop) -> None:
    await shop.alert()
    await shop.send()
    await shop.desk.acknowledge(KEY)
    await shop.send()
    await shop.desk.rows("DELETE FROM deadline WHERE status = 'cancelled'")
    assert await shop.kinds() == ["deadline-lost"]
    evidence = Later(shop.desk.store.evidence._database)
    evidence.ahead = timedelta(minutes=1)
    seen = await Examiner(evidence, OnePolicy(), timedelta(seconds=10)).whole(KEPT)
    assert (seen.incidents, seen.findings) == (1, ())


# --- damage


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
