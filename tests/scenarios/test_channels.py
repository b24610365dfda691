"""Who is told how: by priority, and all of them to the end. POLICY 4, 16, 19."""

from __future__ import annotations

import pytest

from models.channels import recipients, unmailed
from models.deliveries import DeliveryKind, Provider, Refused
from models.policy_file import shipped_policy
from models.policy_findings import findings
from models.severity import Priority, Severity
from tests.world import DEFAULT, World, takes

K = DeliveryKind
OF = {Provider.PAGERDUTY: "page", Provider.SLACK: "slack", Provider.EMAIL: "email", Provider.TICKET: "ticket"}
MAILED = DEFAULT.replace("status_page: [SEV1, SEV2]\n", "status_page: [SEV1, SEV2]\n  email: [ops@example.test]\n")
PRACTICES = shipped_policy("sre-practices")
GUIDE = shipped_policy("sre-guide")


def reached(world: World) -> set[str]:
    """The channels by which anything was told; the status page is for customers."""
    return {OF[one.provider] for one in world.sent if one.provider in OF}


@pytest.mark.parametrize(
    ("text", "severity", "channels"),
    [
        (DEFAULT, Severity.SEV1, {"page", "slack"}),
        (DEFAULT, Severity.SEV2, {"page", "email", "slack"}),
        (DEFAULT, Severity.SEV3, {"slack", "ticket"}),
        (DEFAULT, Severity.SEV4, {"slack", "ticket"}),
        (PRACTICES, Severity.SEV1, {"page", "slack"}),
        (PRACTICES, Severity.SEV2, {"page", "email", "slack"}),
        (PRACTICES, Severity.SEV3, {"slack", "ticket"}),
        (PRACTICES, Severity.SEV4, {"ticket"}),
        (GUIDE, Severity.SEV1, {"page", "slack"}),
        (GUIDE, Severity.SEV2, {"email", "slack"}),
        (GUIDE, Severity.SEV3, {"slack"}),
        (GUIDE, Severity.SEV4, {"ticket"}),
    ],
)
def test_each_priority_reaches_exactly_its_channels(text: str, severity: Severity, channels: set[str]) -> None:
    world = World(text)
    world.declare(severity)
    assert reached(world) == channels
    world.acknowledge()
    world.update("We look.")
    world.resolve()
    assert reached(world) == channels


def test_a_ticket_tells_the_whole_story_where_slack_tells_nothing() -> None:
    world = World(PRACTICES)
    world.declare(Severity.SEV4)
    world.acknowledge()
    world.update("It waits for Monday.")
    world.resolve(note="restarted")
    assert world.kinds(Provider.SLACK) == []
    assert world.kinds(Provider.TICKET) == [K.TICKET, K.TICKET_UPDATE, K.TICKET_UPDATE, K.TICKET_RESOLUTION]
    assert world.said(K.TICKET_UPDATE) == ["Acknowledged by ana (api)", "It waits for Monday."]
    assert world.said(K.TICKET_RESOLUTION) == ["restarted"]


def test_silence_is_remarked_in_the_ticket_too() -> None:
    world = World(PRACTICES)
    world.alert(labels={"severity": "P3 - Low"})
    assert reached(world) == {"ticket"}
    world.advance(hours=25)
    assert world.said(K.TICKET_UPDATE)[-1].startswith("Nothing has been heard of the firing alerts")


def test_a_rising_priority_adds_channels_and_introduces_the_incident_there_once() -> None:
    world = World(PRACTICES)
    world.declare(Severity.SEV4)
    world.set_severity(Severity.SEV2)
    assert reached(world) == {"ticket", "page", "email", "slack"}
    assert world.kinds(Provider.SLACK)[:3] == [K.CHANNEL, K.ANNOUNCEMENT, K.INITIAL_REPORT]
    assert world.kinds(Provider.EMAIL) == [K.EMAIL_REPORT]
    assert world.said(K.TICKET_UPDATE) == ["Severity is now SEV2 (P1): because (ana)", "Paged on-call: severity raised"]
    assert world.said(K.NOTICE) == ["Paged on-call: severity raised"], "the report has just said how severe it is"
    world.set_severity(Severity.SEV1)
    assert world.said(K.EMAIL_NOTICE) == ["Severity is now SEV1 (P0): because (ana)"]
    assert world.kinds(Provider.SLACK).count(K.INITIAL_REPORT) == 1


def test_who_was_told_is_told_the_end_though_the_priority_has_fallen() -> None:
    world = World(PRACTICES)
    world.declare(Severity.SEV2)
    world.set_severity(Severity.SEV4)
    world.set_severity(Severity.SEV2)
    world.set_severity(Severity.SEV4)
    world.resolve()
    assert world.kinds(Provider.EMAIL) == [K.EMAIL_REPORT, *[K.EMAIL_NOTICE] * 3, K.EMAIL_RESOLUTION]
    assert world.kinds(Provider.SLACK).count(K.ANNOUNCEMENT) == 1
    assert K.RESOLUTION in world.kinds(Provider.SLACK)
    assert world.kinds(Provider.TICKET).count(K.TICKET) == 1


def test_reopened_is_news_and_no_second_report() -> None:
    world = World(MAILED)
    world.alert(labels={"severity": "page"})
    world.alert(labels={"severity": "page"}, status="resolved")
    world.advance(minutes=5)
    world.alert(labels={"severity": "page"}, started=world.now)
    assert world.kinds(Provider.EMAIL) == [K.EMAIL_REPORT, K.EMAIL_RESOLUTION, K.EMAIL_NOTICE]
    assert world.said(K.EMAIL_NOTICE)[0].startswith("Reopened: ")


TEAM = MAILED.replace("services: {}", "services: {checkout: {owner: payments}}").replace(
    "people: {}",
    "people: {ada: {email: ada@example.test}, bob: {slack: U0BOB}, eve: {email: not an address}}\n"
    "teams: {payments: {members: [ada, bob, eve]}}",
)


def test_the_owning_team_is_mailed_each_by_itself() -> None:
    """One full mailbox holds up nobody else, and is not written to for ever."""
    world = World(TEAM)
    world.answers[Provider.EMAIL] = lambda told: (
        Refused("full") if told.message and told.message.to == "ops@example.test" else takes(told)
    )
    world.alert(labels={"severity": "page"})
    world.resolve()
    mailed = [(one.kind, one.message.to) for one in world.sent if one.provider is Provider.EMAIL and one.message]
    assert mailed == [(K.EMAIL_REPORT, "ada@example.test"), (K.EMAIL_RESOLUTION, "ada@example.test")]
    assert recipients("checkout", world.policy) == ("ops@example.test", "ada@example.test")
    assert recipients("search", world.policy) == ("ops@example.test",)
    texts = [finding.text for finding in findings(world.policy)]
    assert "not an e-mail address, so never mailed" in texts


def test_where_the_policy_mails_nobody_it_is_not_silent() -> None:
    """An undeliverable report stands in the outbox, where it is refused; `tocsin doctor` warns before that."""
    world = World()
    world.declare(Severity.SEV2)
    assert [(one.kind, one.message and one.message.to) for one in world.sent if one.provider is Provider.EMAIL] == [
        (K.EMAIL_REPORT, None)
    ]
    assert unmailed(world.policy) == (Priority.P1,)
    assert unmailed(World(MAILED).policy) == ()
    assert unmailed(World(GUIDE.replace("email, slack", "slack")).policy) == ()


def test_redelivery_tells_nobody_twice() -> None:
    world = World(PRACTICES)
    world.redeliver = 2
    world.declare(Severity.SEV4)
    world.set_severity(Severity.SEV2)
    world.resolve()
    assert len({one.id for one in world.sent}) == len(world.sent)
    assert world.kinds(Provider.EMAIL) == [K.EMAIL_REPORT, K.EMAIL_RESOLUTION]


def test_a_page_that_fails_is_told_in_slack_whatever_the_channels_are() -> None:
    """POLICY 32: a fallback that waits for a policy's permission is none."""
    paged_only = DEFAULT.replace("P0: [page, slack]", "P0: [page]")
    world = World(paged_only, answers={Provider.PAGERDUTY: lambda _: Refused("no such key")})
    world.declare(Severity.SEV1)
    assert set(world.kinds(Provider.SLACK)) == {K.PAGE_FALLBACK}
