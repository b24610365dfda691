"""What every notifier promises, whatever the network does to it: told once, and never lost."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import pytest

from models.deliveries import Delivered, Delivery, DeliveryKind, PageFacts, Provider, Receipts, Refused, RetryLater
from models.statuspage import Publication, UnpublishedError, page_incidents
from notifiers.pagerduty import PagerDutyNotifier
from notifiers.port import Notifier
from notifiers.recorder import Recorder
from notifiers.slack import SlackNotifier
from notifiers.statuspage import StatusPageNotifier
from notifiers.ticket import TicketNotifier
from notifiers.webhook import WebhookNotifier
from streams import logs
from tests.notifiers.facts import HOOK, MAILED, delivery, incident
from tests.notifiers.peer import API_TOKEN, HOOK_SECRET, KEY, TICKET_TOKEN, TOKEN, Fault, Peer

K = DeliveryKind
FAULTS = [
    Fault("limited", status=429, headers={"Retry-After": "7"}, body={"ok": False, "error": "ratelimited"}),
    Fault("bad gateway", status=502, text="<html>no</html>"),
    Fault("unavailable", status=503),
    Fault("unavailable after all", status=503, processed=True),
    Fault("reset before", reset=True),
    Fault("reset after", reset=True, processed=True),
    Fault("truncated", truncate=True, processed=True),
    Fault("not JSON", text="<html>welcome</html>", processed=True),
    Fault("another JSON", body=[1], processed=True),
    Fault("silence", hold=True, processed=True),
]
RESET_AFTER = FAULTS[5]


@dataclass
class World:
    """One notifier with something to tell, and a way to count how often people were told."""

    notifier: Notifier
    delivery: Delivery
    receipts: Receipts
    call: str
    told: Callable[[], int]


WORLDS = [
    "page",
    "channel",
    "announcement",
    "report in a thread",
    "notice in a channel",
    "reminder",
    "ticket",
    "update",
    "webhook",
]
UNREAD = {"truncated", "not JSON", "another JSON"}
"""A webhook's answer is not read: its status is all."""


@pytest.fixture(params=WORLDS)
def world(  # noqa: PLR0911 (one arm per world is the point)
    request: pytest.FixtureRequest,
    peer: Peer,
    pagerduty: PagerDutyNotifier,
    slack: SlackNotifier,
    tickets: TicketNotifier,
    webhooks: WebhookNotifier,
) -> World:
    own = delivery(K.NOTICE, incident(own_channel=True))
    thread = {"announcement_channel": "C0INCIDENTS", "announcement_ts": "1795270000.000000"}
    peer.channels["C0OWN"] = {"name": "inc-other"}
    match request.param:
        case "page":
            return World(pagerduty, delivery(K.PAGE), {}, "enqueue", lambda: len(peer.pages))
        case "channel":
            others = len(peer.channels)
            return World(slack, delivery(K.CHANNEL), {}, "conversations.create", lambda: len(peer.channels) - others)
        case "announcement":
            return World(slack, delivery(K.ANNOUNCEMENT), {}, "chat.postMessage", lambda: len(peer.messages))
        case "ticket":
            return World(tickets, delivery(K.TICKET), {}, "tickets", lambda: len(peer.tickets))
        case "update":
            update, known = delivery(K.TICKET_UPDATE), {"ticket": "OPS-9"}
            return World(tickets, update, known, "tickets", lambda: len(peer.tickets.get("OPS-9", [])))
        case "webhook":
            return World(webhooks, delivery(K.PAGE, page=HOOK), {}, "hook", lambda: len(peer.hooked))
        case "report in a thread":
            return World(slack, delivery(K.INITIAL_REPORT), thread, "chat.postMessage", lambda: len(peer.messages))
        case "notice in a channel":
            return World(slack, own, {"channel": "C0OWN"}, "chat.postMessage", lambda: len(peer.messages))
        case _:
            reminder = delivery(K.REMINDER, incident=None, incident_id=None)
            return World(slack, reminder, {}, "chat.postMessage", lambda: len(peer.messages))


async def attempts(world: World, limit: int = 8) -> list[Any]:
    """Attempts as the delivery agent makes them, without its pauses, until the notifier is done."""
    outcomes: list[Any] = []
    while not outcomes or (isinstance(outcomes[-1], RetryLater) and len(outcomes) < limit):
        unknown = bool(outcomes) and outcomes[-1].unknown
        outcomes.append(await world.notifier.send(world.delivery, world.receipts, read_back=unknown))
    return outcomes


async def test_what_goes_well_is_told_once(world: World) -> None:
    outcomes = await attempts(world)
    assert [type(outcome) for outcome in outcomes] == [Delivered]
    assert world.told() == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_neither_loses_nor_doubles(world: World, peer: Peer, fault: Fault) -> None:
    peer.befall(world.call, fault)
    first, *_, last = [*await attempts(world)] * (2 if world.call == "hook" and fault.name in UNREAD else 1)
    if world.call == "hook" and fault.name in UNREAD:
        assert (type(first), world.told()) == (Delivered, 1)
        return
    assert isinstance(first, RetryLater)
    assert isinstance(last, Delivered)
    assert world.told() == 1
    assert first.provider_down is (fault.name != "limited")
    if fault.name == "limited":
        assert first.after is not None
        assert first.after.total_seconds() == 7
    if fault.processed:
        assert first.unknown


async def test_an_unknown_outcome_stays_unknown_until_somebody_could_look(world: World, peer: Peer) -> None:
    """A second fault between the lost answer and the read-back must not make the first one forgotten."""
    peer.befall(world.call, RESET_AFTER)
    for looking in ("conversations.history", "conversations.replies", "conversations.list"):
        peer.befall(looking, FAULTS[0], FAULTS[1])
    outcomes = await attempts(world)
    assert isinstance(outcomes[-1], Delivered)
    assert world.told() == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_nothing_that_is_reported_holds_a_secret(
    world: World, peer: Peer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    peer.befall(world.call, fault)
    outcomes = await attempts(world)
    # httpx logs addresses, which streams/logs.py keeps quiet; the peer's own log is the other side's.
    ours = [one.getMessage() for one in caplog.records if one.name.partition(".")[0] not in {"httpx", "aiohttp"}]
    assert "httpx" in logs.QUIET
    seen = repr((outcomes, world.notifier, ours))
    assert not [secret for secret in (KEY, TOKEN, API_TOKEN, TICKET_TOKEN, HOOK_SECRET) if secret in seen]


@pytest.mark.parametrize("kind", [K.PAGE, K.CHANNEL, K.NOTICE, K.TICKET])
async def test_a_closed_port_is_no_unknown_outcome(kind: DeliveryKind, unused_tcp_port: int) -> None:
    closed = f"http://127.0.0.1:{unused_tcp_port}"
    told = delivery(kind)
    notifier: Notifier = SlackNotifier(TOKEN, api_url=closed)
    if told.provider is Provider.PAGERDUTY:
        notifier = PagerDutyNotifier({"TOCSIN_PAGERDUTY_ROUTING_KEY": KEY}, events_url=closed)
    if told.provider is Provider.TICKET:
        notifier = TicketNotifier(closed)
    outcome = await notifier.send(told, {}, read_back=False)
    await notifier.close()
    assert isinstance(outcome, RetryLater)
    assert outcome.provider_down
    assert not outcome.unknown


async def test_the_status_page_is_written_once_though_the_answer_was_lost() -> None:
    kept: list[Publication] = []
    answers: list[Exception | None] = [UnpublishedError("the database is away"), TimeoutError("no answer"), None]

    async def publish(publication: Publication) -> None:
        answer = answers.pop(0)
        if not isinstance(answer, UnpublishedError):
            kept.append(publication)
        if answer:
            raise answer

    world = World(
        StatusPageNotifier(publish), delivery(K.PUBLICATION), {}, "", lambda: len(page_incidents(kept)[0].updates)
    )
    outcomes = await attempts(world)
    assert [type(outcome) for outcome in outcomes] == [RetryLater, RetryLater, Delivered]
    assert world.told() == 1


@pytest.mark.parametrize("kind", list(K))
async def test_the_recorder_takes_every_kind_and_says_that_nothing_was_sent(kind: DeliveryKind, tmp_path: Path) -> None:
    told = delivery(kind)
    recorder = Recorder(told.provider, tmp_path / "recorded", "it is not configured")
    outcome = await recorder.send(told, {}, read_back=False)
    assert isinstance(outcome, Delivered)
    assert outcome.recorded
    assert outcome.detail == "recorded, not sent: it is not configured"
    [line] = (tmp_path / "recorded" / f"{told.provider}.jsonl").read_text().splitlines()
    assert json.loads(line)["delivery_id"] == str(told.id)


@pytest.mark.parametrize("page", [HOOK, MAILED])
async def test_a_page_that_is_recorded_reaches_nobody_where_others_are_paged_for_real(
    page: PageFacts, tmp_path: Path
) -> None:
    told = delivery(K.PAGE, page=page)
    recorder = Recorder(told.provider, tmp_path, "TOCSIN_X is not set", pages=False)
    assert await recorder.send(told, {}, read_back=False) == Refused(
        f"nobody is reached by {told.provider}: TOCSIN_X is not set"
    )
    recorder = Recorder(told.provider, tmp_path, "no provider is configured")
    assert isinstance(await recorder.send(told, {}, read_back=False), Delivered)
    [line] = (tmp_path / f"{told.provider}.jsonl").read_text().splitlines()
    assert "INC-2026-1121-001" in line


async def test_the_recorder_says_where_slack_would_have_been_told(tmp_path: Path) -> None:
    recorder = Recorder(Provider.SLACK, tmp_path, "it is not configured")
    facts = incident(own_channel=True, slack_channel="#ops")
    receipts: dict[str, str] = {}
    for kind in (K.CHANNEL, K.ANNOUNCEMENT, K.INITIAL_REPORT, K.NOTICE, K.REFRESH, K.REMINDER):
        outcome = await recorder.send(delivery(kind, facts), receipts, read_back=False)
        assert isinstance(outcome, Delivered)
        receipts |= outcome.receipts
    lines = [json.loads(line)["payload"] for line in (tmp_path / "slack.jsonl").read_text().splitlines()]
    channel, announcement, report, notice, refresh, reminder = lines
    assert (announcement["channel"], reminder["channel"]) == ("#ops", "#incidents")
    assert report["channel"] == notice["channel"] == channel["name"]
    assert {kind: edit["channel"] for kind, edit in refresh.items()} == {
        "announcement": "#ops",
        "initial_report": channel["name"],
    }
    assert refresh["announcement"]["ts"] == receipts["announcement_ts"]


async def test_the_recorder_says_the_thread_of_an_incident_without_a_channel(tmp_path: Path) -> None:
    recorder = Recorder(Provider.SLACK, tmp_path, "it is not configured")
    receipts = {"announcement_channel": "#ops", "announcement_ts": "1.2"}
    await recorder.send(delivery(K.NOTICE), receipts, read_back=False)
    told = json.loads((tmp_path / "slack.jsonl").read_text())["payload"]
    assert (told["channel"], told["thread_ts"]) == ("#ops", "1.2")


async def test_a_recorder_that_cannot_write_says_so_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "recorded").write_text("a file where the folder should be")
    recorder = Recorder(Provider.SLACK, tmp_path / "recorded", "it is not configured")
    outcome = await recorder.send(delivery(K.NOTICE), {}, read_back=False)
    assert isinstance(outcome, RetryLater)


async def test_facts_that_cannot_be_told_are_refused_not_raised(
    pagerduty: PagerDutyNotifier, slack: SlackNotifier, tickets: TicketNotifier, tmp_path: Path
) -> None:
    async def publish(_: Publication) -> Never:
        raise AssertionError

    recorder = Recorder(Provider.SLACK, tmp_path, "it is not configured")
    for notifier, kind in (
        (pagerduty, K.PAGE),
        (slack, K.NOTICE),
        (slack, K.CHANNEL),
        (tickets, K.TICKET_UPDATE),
        (recorder, K.ANNOUNCEMENT),
        (StatusPageNotifier(publish), K.PUBLICATION),
    ):
        bare = delivery(kind, incident=None, page=None, message=None)
        assert isinstance(await notifier.send(bare, {}, read_back=False), Refused)
