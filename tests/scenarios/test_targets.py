"""Stories of levels that are paged by e-mail and by webhook. POLICY 9."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import cast

import pytest

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Refused, Urgency
from models.events import Event
from models.evolution import evolve
from models.findings import Case, Finding, SentRow, Terms, Told
from models.verification_pages import page_findings
from tests.memory import Sent
from tests.scenarios.oncall import PEOPLE, policy
from tests.world import T0, World, is_down

K = DeliveryKind
MAILED = "{name: mailed, targets: [{email: noc@example.test}]}"
HOOKED = "{name: hooked, targets: [{webhook: TOCSIN_NOC}]}"
ANA = "{name: ana, targets: [{person: ana}]}"
SEVERAL = "{name: all, targets: [{person: ana}, {email: noc@example.test}, {webhook: TOCSIN_NOC}, {person: dora}]}"


def opened(*levels: str, **answers: object) -> World:
    """A SEV1 under a policy with these levels."""
    world = World(policy(*levels), answers={Provider(name): answer for name, answer in answers.items()})  # type: ignore[misc]
    world.alert()
    return world


def paged(world: World) -> list[tuple[str, str]]:
    """By whom which address was taken, in order."""
    return [(one.provider.value, one.page.whom) for one in world.sent if one.kind is K.PAGE and one.page]


def refuses(_: Delivery) -> Outcome:
    return Refused("never")


def test_every_target_of_a_level_is_paged_at_once_each_by_its_way() -> None:
    world = opened(SEVERAL, ANA)
    assert sorted(paged(world)) == [
        ("email", "dora@example.test"),
        ("email", "noc@example.test"),
        ("pagerduty", "TOCSIN_KEY_ANA"),
        ("webhook", "TOCSIN_NOC"),
    ]
    pages = [one for one in world.sent if one.kind is K.PAGE]
    assert len({one.lane for one in pages}) == 4, "none waits behind another"
    assert {one.urgency for one in pages} == {Urgency.PAGE}
    world.acknowledge()
    world.resolve()
    answers = [one for one in world.sent if one.kind in {K.PAGE_ACKNOWLEDGE, K.PAGE_RESOLVE}]
    assert [one.provider for one in answers] == [Provider.PAGERDUTY] * 2, "neither mail nor webhook is answered"


@pytest.mark.parametrize("level", [MAILED, HOOKED, "{name: dora, targets: [{person: dora}]}"])
def test_a_level_without_any_pager_is_not_passed_over_and_its_clock_starts_at_the_receipt(level: str) -> None:
    world = opened(level, ANA)
    assert "level_skipped" not in world.log
    assert world.log.count("page_received") == 1
    world.advance(minutes=4, seconds=59)
    assert len(world.pages) == 1
    world.advance(seconds=1)
    assert world.pages[1:] == ["ana"], "its five minutes began when it was taken"


@pytest.mark.parametrize(("level", "provider"), [(MAILED, "email"), (HOOKED, "webhook")])
def test_one_that_is_not_taken_is_told_by_a_second_way_and_its_turn_ends(level: str, provider: str) -> None:
    world = opened(level, ANA, **{provider: is_down})
    world.advance(seconds=31)
    assert "has not got through yet" in world.said(K.PAGE_FALLBACK)[0]
    world.advance(minutes=6, seconds=28)
    assert world.pages == []
    world.advance(seconds=1)
    assert world.pages == ["ana"], "two minutes for a receipt, five to acknowledge"
    [(_, status, detail), _] = world.page_fates
    assert (status, detail.partition(" before")[0]) == ("cancelled", "superseded by the page to ana")


@pytest.mark.parametrize(("level", "provider"), [(MAILED, "email"), (HOOKED, "webhook")])
def test_one_that_is_refused_for_good_goes_to_the_next_level_at_once(level: str, provider: str) -> None:
    world = opened(level, ANA, **{provider: refuses})
    assert world.pages == ["ana"]


def test_one_of_several_that_is_refused_leaves_the_others_their_time() -> None:
    world = opened(SEVERAL, MAILED, webhook=refuses, pagerduty=refuses)
    assert world.pages == ["all", "all"]
    world.advance(minutes=5)
    assert world.pages == ["all", "all", "mailed"]


def test_what_a_page_says_is_frozen_with_it() -> None:
    world = opened(ANA, HOOKED)
    world.advance(minutes=5)
    [told] = [one for one in world.sent if one.provider is Provider.WEBHOOK]
    assert told.message is not None
    assert told.message.text == "not acknowledged"
    assert told.message.acknowledge_by == world.now + timedelta(minutes=5)
    assert told.incident is not None
    assert told.incident.number == world.incident.number


def test_a_slack_id_goes_before_an_address_and_a_key_before_both() -> None:
    people = PEOPLE.replace("dora@example.test}", "dora@example.test, slack: U0DORA}")
    world = World(policy("{name: dora, targets: [{person: dora}]}", people=people))
    world.alert()
    assert [one.kind for one in world.sent if one.kind in {K.PAGE, K.MENTION}] == [K.MENTION]
    world = World(policy("{name: dora, routing_key: TOCSIN_KEY_NOC, targets: [{person: dora}]}"))
    world.alert()
    assert paged(world) == [("pagerduty", "TOCSIN_KEY_NOC")]


def test_an_address_that_is_none_reaches_nobody() -> None:
    people = PEOPLE.replace("dora@example.test", "dora")
    world = World(policy("{name: dora, targets: [{person: dora}]}", ANA, people=people))
    world.alert()
    assert world.pages == ["ana"]
    assert any("dora has no PagerDuty key, Slack id or address" in text for text in world.said(K.NOTICE))


def test_one_mailbox_is_paged_once_however_it_is_named() -> None:
    world = opened("{name: all, targets: [{person: dora}, {email: dora@example.test}]}")
    assert paged(world) == [("email", "dora@example.test")]


@pytest.mark.parametrize("level", [MAILED, HOOKED, SEVERAL, "{name: x, targets: [{person: ana}, {person: cleo}]}"])
@pytest.mark.parametrize("answer", [lambda _: Delivered("sent"), refuses])
def test_verify_finds_nothing_wrong_with_any_of_them(level: str, answer: object) -> None:
    world = opened(level, ANA, email=answer, webhook=answer)
    world.advance(minutes=6)
    world.acknowledge()
    world.resolve()
    assert _found(world) == []


@pytest.mark.parametrize("level", [MAILED, HOOKED])
def test_verify_finds_a_page_that_was_never_sent(level: str) -> None:
    world = opened(level)
    world.store.outbox = [one for one in world.store.outbox if one.delivery.kind is not K.PAGE]
    assert [(one.kind.value, one.message) for one in _found(world)] == [
        ("page-lost", f"page 1, to {world.incident.pages[0].level}, was decided, and is not in the outbox")
    ]


def _found(world: World) -> list[Finding]:
    """What `tocsin verify` would say of the incident's pages, were these the database's rows."""
    log: list[Told] = []
    for _, entry in world.store.log:
        event = cast("Event", entry.event)
        before = log[-1].after if log else None
        step = uuid.uuid5(uuid.NAMESPACE_OID, entry.at.isoformat())
        log.append(Told(entry.seq, entry.at, step, event, before, evolve(before, event, entry.at)))
    incident = world.incident
    rows = tuple(_row(sent) for sent in world.store.outbox if sent.delivery.kind.startswith("page"))
    case = Case(
        id=incident.id,
        number=incident.number,
        incident=incident,
        log=(),
        review=None,
        review_log=(),
        deadlines=(),
        deliveries=rows,
    )
    return page_findings(case, log, Terms(world.policy, world.now, world.now - timedelta(days=90)))


def _row(sent: Sent) -> SentRow:
    it, at = sent.delivery, sent.created_at or T0
    return SentRow(
        id=it.id,
        kind=it.kind.value,
        lane=it.lane,
        ordinal=it.page.ordinal if it.page else None,
        status=sent.status,
        attempts=sent.attempts,
        unknown=sent.unknown,
        detail=sent.detail,
        created_at=at,
        first_attempt_at=at,
        ended_at=at,
    )
