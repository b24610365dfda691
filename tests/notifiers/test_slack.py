"""Slack: what stands where, and what becomes of refusals."""

from datetime import timedelta

import pytest

from models.deliveries import Delivered, DeliveryKind, Message, Refused, RetryLater
from models.severity import Severity
from notifiers.render import slack_message
from notifiers.slack import SlackNotifier
from notifiers.slack_replies import SlackReplies
from tests.notifiers.facts import INCIDENT_ID, delivery, incident
from tests.notifiers.peer import Fault, Peer

K = DeliveryKind


async def told(slack: SlackNotifier, kind: DeliveryKind, receipts: dict[str, str], **changes: object) -> None:
    """Sends one delivery and remembers its receipts, as the delivery agent does."""
    outcome = await slack.send(delivery(kind, incident(own_channel=True, **changes)), receipts, read_back=False)
    assert isinstance(outcome, Delivered), outcome
    receipts.update(outcome.receipts)


async def test_an_incident_from_its_channel_to_its_resolution(slack: SlackNotifier, peer: Peer) -> None:
    receipts: dict[str, str] = {}
    for kind in (K.CHANNEL, K.ANNOUNCEMENT, K.INITIAL_REPORT, K.NOTICE):
        await told(slack, kind, receipts)
    await told(slack, K.REFRESH, receipts, status="acknowledged", acknowledged_by="ada")
    await told(slack, K.STATUS_UPDATE, receipts)
    await told(slack, K.RESOLUTION, receipts, status="resolved")

    own = receipts["channel"]
    assert peer.channels[own]["name"] == "inc-2026-1121-001-checkout"
    assert peer.channels[own]["topic"] == "SEV1 P0 · INC-2026-1121-001 · Checkout fails"
    assert [message["channel"] for message in peer.messages] == ["C0INCIDENTS", own, own, own, own]
    announcement, report, *_ = peer.messages
    for edited in (announcement, report):
        assert "Acknowledged by ada" in str(edited["blocks"])
        assert edited["metadata"]["event_type"] == "tocsin_delivery"
    assert f"<#{own}>" in str(announcement["blocks"])
    assert "https://wiki.example.com/checkout" in str(announcement["blocks"])


async def test_an_incident_without_its_channel_goes_on_in_the_announcements_thread(
    slack: SlackNotifier, peer: Peer
) -> None:
    receipts: dict[str, str] = {}
    for kind in (K.ANNOUNCEMENT, K.INITIAL_REPORT, K.NOTICE, K.RESOLUTION):
        await told(slack, kind, receipts)
    first, *rest = peer.messages
    assert [message["thread_ts"] for message in rest] == [first["ts"]] * 3


async def test_a_deleted_announcement_does_not_stop_the_report_from_being_edited(
    slack: SlackNotifier, peer: Peer
) -> None:
    receipts: dict[str, str] = {}
    for kind in (K.ANNOUNCEMENT, K.INITIAL_REPORT):
        await told(slack, kind, receipts)
    del peer.messages[0]
    await told(slack, K.REFRESH, receipts, acknowledged_by="ada")
    assert "Acknowledged by ada" in str(peer.messages[0]["blocks"])


async def test_a_page_that_did_not_get_through_is_told_to_all_who_are_here(slack: SlackNotifier, peer: Peer) -> None:
    await told(slack, K.PAGE_FALLBACK, {"channel": "C0OWN", "announcement_ts": "1.000000"})
    [message] = peer.messages
    assert message["channel"] == "C0INCIDENTS"
    assert "thread_ts" not in message
    assert message["text"].startswith("<!here>")


async def test_a_reminder_mentions_its_owner_by_id_or_else_by_name(slack: SlackNotifier, peer: Peer) -> None:
    reminder = delivery(K.REMINDER, incident=None, incident_id=None)
    await slack.send(reminder, {}, read_back=False)
    assert "<@U0ADA>" in peer.messages[0]["text"]


async def test_maintenance_is_told_in_the_channel_of_operations(slack: SlackNotifier, peer: Peer) -> None:
    """POLICY 21."""
    peer.channels["C0OPS"] = {"name": "ops"}
    text = "Maintenance “<!channel>” is over.\n• INC-1"
    note = Message(text, slack_channel="#ops")
    await slack.send(delivery(K.MAINTENANCE, incident=None, incident_id=None, message=note), {}, read_back=False)
    [message] = peer.messages
    assert message["channel"] in {"#ops", "C0OPS"}
    assert "<!channel>" not in str(message)
    assert "is over.\n• INC-1" in message["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("channel_not_found", "invite the bot"),
        ("is_archived", "unarchive it"),
        ("msg_too_long", "msg_too_long"),
        ("invalid_blocks", "invalid_blocks"),
    ],
)
async def test_what_slack_will_never_take_is_refused_with_what_to_do(
    slack: SlackNotifier, peer: Peer, code: str, words: str
) -> None:
    peer.befall("chat.postMessage", Fault(code, body={"ok": False, "error": code}))
    outcome = await slack.send(delivery(K.ANNOUNCEMENT), {}, read_back=False)
    assert isinstance(outcome, Refused)
    assert words in outcome.reason


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive", "missing_scope"])
async def test_bad_credentials_lose_no_message_and_are_loud(slack: SlackNotifier, peer: Peer, code: str) -> None:
    peer.befall("chat.postMessage", Fault(code, body={"ok": False, "error": code}))
    outcome = await slack.send(delivery(K.ANNOUNCEMENT), {}, read_back=False)
    assert isinstance(outcome, RetryLater)
    assert outcome.provider_down
    assert outcome.after is not None
    assert "TOCSIN_SLACK_BOT_TOKEN" in outcome.reason


@pytest.mark.parametrize("call", ["conversations.create", "conversations.list", "conversations.join"])
async def test_a_bot_that_may_not_have_channels_can_still_post(slack: SlackNotifier, peer: Peer, call: str) -> None:
    peer.channels["C0TAKEN"] = {"name": "inc-2026-1121-001-checkout"}
    peer.befall(call, Fault("scope", body={"ok": False, "error": "missing_scope"}))
    outcome = await slack.send(delivery(K.CHANNEL), {}, read_back=False)
    assert isinstance(outcome, Refused)
    assert "channels:manage" in outcome.reason


async def test_a_topic_that_cannot_be_set_does_not_cost_the_channel(slack: SlackNotifier, peer: Peer) -> None:
    peer.befall("conversations.setTopic", Fault("reset", reset=True))
    outcome = await slack.send(delivery(K.CHANNEL), {}, read_back=False)
    assert isinstance(outcome, Delivered)
    assert outcome.receipts["channel"] in peer.channels
    assert "topic was not set" in outcome.detail


async def test_the_check_names_the_scopes_that_are_missing(slack: SlackNotifier, peer: Peer) -> None:
    assert await slack.check() is None
    peer.scopes = "chat:write,channels:read"
    assert await slack.check() == (
        "Slack: give the bot the scopes channels:history, channels:join, channels:manage and install it again"
    )


async def test_who_may_not_look_posts_rather_twice_than_never(slack: SlackNotifier, peer: Peer) -> None:
    peer.befall("conversations.join", Fault("scope", body={"ok": False, "error": "missing_scope"}))
    peer.befall("conversations.history", Fault("stranger", body={"ok": False, "error": "not_in_channel"}))
    outcome = await slack.send(delivery(K.ANNOUNCEMENT), {}, read_back=True)
    assert isinstance(outcome, Delivered)
    assert len(peer.messages) == 1


async def test_one_attempt_is_bounded_however_often_slack_answers_slowly(slack: SlackNotifier, peer: Peer) -> None:
    slack._attempt_within = timedelta(seconds=0.1)
    peer.befall("conversations.list", Fault("slow", hold=True))
    outcome = await slack.send(delivery(K.ANNOUNCEMENT), {}, read_back=True)
    assert outcome == RetryLater("Slack is too slow", unknown=True, provider_down=True)


def words(kind: DeliveryKind, *, buttons: bool = False, **changes: object) -> str:
    """All that a message says."""
    return str(slack_message(delivery(kind, incident(**changes)), {}, buttons=buttons)["blocks"])


def test_who_has_to_acknowledge_reads_how() -> None:
    """POLICY 8. By a button, or by the command where the app sends none."""
    for kind in (K.INITIAL_REPORT, K.MENTION):
        assert "tocsin ack INC-2026-1121-001" in words(kind)
        assert "tocsin ack" not in words(kind, buttons=True)
    assert "tocsin ack INC-2026-1121-001" in words(K.PAGE_FALLBACK, buttons=True)
    assert "tocsin ack" not in words(K.INITIAL_REPORT, status="acknowledged")
    assert "tocsin ack" not in words(K.INITIAL_REPORT, status="resolved")
    assert "tocsin ack" not in words(K.INITIAL_REPORT, attached_to="INC-2026-1121-002")


def test_whoever_acknowledged_is_not_called_commander() -> None:
    """POLICY 15: they are primary resolver, and everybody is told meanwhile that a commander is missing."""
    assert "*Commander*\\nnobody yet" in words(K.INITIAL_REPORT, acknowledged_by="cleo", roles={})
    assert "*Commander*\\nada" in words(K.INITIAL_REPORT, acknowledged_by="cleo")
    assert "*Commander*\\nnobody'" in words(K.INITIAL_REPORT, status="resolved", roles={})


def buttons(kind: DeliveryKind, *, heard: bool = True, **changes: object) -> list[str]:
    """The buttons under a message, by what they do."""
    blocks = slack_message(delivery(kind, incident(**changes)), {}, buttons=heard)["blocks"]
    elements = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    assert all(element["value"] == str(INCIDENT_ID) for element in elements)
    return [element["action_id"] for element in elements]


def test_a_report_and_a_mention_have_the_buttons_that_still_mean_something() -> None:
    for kind in (K.INITIAL_REPORT, K.MENTION):
        assert buttons(kind) == ["tocsin_acknowledge", "tocsin_escalate", "tocsin_resolve"]
        assert buttons(kind, status="acknowledged") == ["tocsin_escalate", "tocsin_resolve"]
        assert buttons(kind, status="resolved") == []


def test_without_a_signing_secret_there_is_no_button_that_nobody_hears() -> None:
    assert buttons(K.INITIAL_REPORT, heard=False) == buttons(K.MENTION, heard=False) == []


async def test_a_reply_goes_to_slack_and_to_nobody_else(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    replies = SlackReplies(f"{peer.url}/api/", None)
    await replies.reply(f"{peer.url}/actions/T0/1", "Done: <!channel> INC-1")
    assert peer.replies == [
        {"text": "Done: &lt;!channel&gt; INC-1", "response_type": "ephemeral", "replace_original": False}
    ]
    for stranger in (
        "https://evil.example/a",
        "http://hooks.slack.com/a",
        "https://hooks.slack.com.evil.example",
        "http://[",
        "",
    ):
        await replies.reply(stranger, "Done")
    assert caplog.text.count("not Slack's") == 5


async def test_a_reply_that_does_not_get_through_is_only_said(caplog: pytest.LogCaptureFixture) -> None:
    await SlackReplies("http://127.0.0.1:1/api/", None).reply("http://127.0.0.1:1/a", "Done")
    assert "did not get through" in caplog.text


@pytest.mark.parametrize("severity", [Severity.SEV1, Severity.SEV3])
def test_a_resolution_promises_a_review_only_where_one_is_owed(severity: Severity) -> None:
    """Whether one is, is the policy's to say, and stands in what was decided."""
    facts = incident(severity=severity, status="resolved")
    none = str(slack_message(delivery(K.RESOLUTION, facts, message=Message("Rolled back.", by="ada")), {}))
    assert "None planned." in none
    assert "review" not in none
    owed = Message("Rolled back.", by="ada", next_steps="Postmortem due 2026-11-23 09:00 UTC, owner ada.")
    told = str(slack_message(delivery(K.RESOLUTION, facts, message=owed), {}))
    assert "owner ada" in told
    assert "the review will say" in told


async def test_a_handoff_mentions_by_id_who_has_one(slack: SlackNotifier, peer: Peer) -> None:
    note = delivery(K.HANDOFF, incident=None, incident_id=None)
    assert isinstance(await slack.send(note, {}, read_back=False), Delivered)
    [message] = peer.messages
    assert message["channel"] == "C0INCIDENTS"
    assert message["text"] == "🔁 payments: <@U0BEN>, *cleo* on call now, *ana* before"
    assert "INC-1 SEV1 checkout: Checkout fails (ana has it)" in str(message["blocks"])
    bare = delivery(K.HANDOFF, incident=None, incident_id=None, handoff=None)
    assert isinstance(await slack.send(bare, {}, read_back=False), Refused)


async def test_a_ticket_is_linked_where_its_address_is_known(slack: SlackNotifier, peer: Peer) -> None:
    receipts = {"ticket_url": "https://tickets.example/OPS-9"}
    for kind in (K.ANNOUNCEMENT, K.INITIAL_REPORT, K.RESOLUTION):
        await told(slack, kind, receipts)
    assert all("<https://tickets.example/OPS-9|🎫 Ticket>" in str(message["blocks"]) for message in peer.messages)
    assert "Ticket" not in str(slack_message(delivery(K.ANNOUNCEMENT), {"ticket_url": "javascript:alert(1)"}))
