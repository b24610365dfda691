"""`tocsin verify` over a real ledger: a sound history shows nothing. Damage: test_verification_damage.py."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from models.deliveries import Refused, RetryLater
from models.review_signals import ActionItemRequested, PostmortemCompleted
from models.severity import Priority, Severity
from models.signals import ReassignRequested, SeverityRequested
from streams.verify import Examiner
from tests.store.desk import OnePolicy, alerts, reached
from tests.store.shop import KEPT, KEY, Later, Shop

DOWN = RetryLater("no answer", provider_down=True)


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
