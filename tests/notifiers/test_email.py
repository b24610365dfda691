"""E-mail as a mail server sees it: who gets what, in which thread, and what every refusal and silence means."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.deliveries import Delivered, Delivery, DeliveryKind, IncidentFacts, Message, Outcome, Refused, RetryLater
from models.severity import Priority
from notifiers.email import EmailNotifier
from notifiers.render import prose
from tests.notifiers.facts import INCIDENT_ID, MAILED, NOW, TURN, delivery, incident
from tests.notifiers.mailbox import PASSWORD, USER, Mailbox
from tests.notifiers.test_injection import hostile_facts, texts

K = DeliveryKind
KINDS = [K.EMAIL_REPORT, K.EMAIL_NOTICE, K.EMAIL_UPDATE, K.EMAIL_RESOLUTION]
TO = "ops@example.test"
UPDATE = UUID(int=7)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Mailbox() as mailbox:
        yield mailbox


def mailer(mailbox: Mailbox, **options: Any) -> EmailNotifier:
    given: dict[str, Any] = {"timeout": timedelta(seconds=0.3), **options}
    url = given.pop("url", mailbox.url)
    return EmailNotifier(url, "tocsin@example.test", **given)


def mail(kind: DeliveryKind = K.EMAIL_UPDATE, facts: IncidentFacts | None = None, **changes: Any) -> Delivery:
    message = Message("We have rolled back.", by="ada", actions="Rolled back.", to=TO)
    return delivery(kind, facts, **{"message": message, **changes})


async def attempts(notifier: EmailNotifier, told: Delivery, most: int = 6) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while not outcomes or (isinstance(outcomes[-1], RetryLater) and len(outcomes) < most):
        unknown = bool(outcomes) and isinstance(outcomes[-1], RetryLater) and outcomes[-1].unknown
        outcomes.append(await notifier.send(told, {}, read_back=unknown))
    return outcomes


async def test_a_thread_as_a_mail_program_shows_it(mailbox: Mailbox) -> None:
    notifier = mailer(mailbox)
    for kind in KINDS:
        assert await notifier.send(mail(kind), {}, read_back=False) == Delivered(f"mailed to {TO}")
    report, *rest = mailbox.read
    assert mailbox.recipients == [TO] * 4
    assert (report["From"], report["To"]) == ("Tocsin <tocsin@example.test>", TO)
    assert report["Subject"] == "[INC-2026-1121-001] Checkout fails"
    assert report["Message-ID"] == f"<{INCIDENT_ID}@example.test>"
    assert report["Date"].datetime == NOW
    assert report["Auto-Submitted"] == "auto-generated"
    assert report["Importance"] == "high"
    for later in rest:
        assert later["Subject"] == f"Re: {report['Subject']}"
        assert later["In-Reply-To"] == later["References"] == report["Message-ID"]
    assert len({one["Message-ID"] for one in mailbox.read}) == 4
    assert mailbox.heard[-1] == "QUIT"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            K.EMAIL_REPORT,
            ["Severity: SEV1, P0", "Commander: ada", "Next update by: 2026-11-21 14:18 UTC", "Impact"],
        ),
        (K.EMAIL_NOTICE, ["We have rolled back.", "Severity: SEV1, P0"]),
        (K.EMAIL_UPDATE, ["Current status (from ada)", "Actions taken\n  Rolled back.", "Next steps\n  none reported"]),
        (K.EMAIL_RESOLUTION, ["Duration: 7 min", "Resolution (by ada)", "Root cause", "Next steps"]),
    ],
)
async def test_every_mail_has_the_fields_of_its_document(
    mailbox: Mailbox, kind: DeliveryKind, words: list[str]
) -> None:
    """POLICY 16, in both parts; the runbook is in each. POLICY 7."""
    await mailer(mailbox).send(mail(kind), {}, read_back=False)
    [read] = mailbox.read
    plain, html = (read.get_body((form,)).get_content().replace("\r\n", "\n") for form in ("plain", "html"))  # type: ignore[union-attr]
    for word in words:
        assert word in plain
        assert word.partition(":")[0].partition("\n")[0] in html
    assert "Runbook: https://wiki.example.com/checkout" in plain
    assert '<a href="https://wiki.example.com/checkout">Runbook</a>' in html
    assert "\n\n\n" not in plain


@pytest.mark.parametrize("test", [False, True])
async def test_a_page_by_mail_is_urgent_and_belongs_to_no_thread(mailbox: Mailbox, *, test: bool) -> None:
    """POLICY 9."""
    page = replace(MAILED, test=test, asked_at=NOW)
    facts: dict[str, Any] = {"incident": None, "incident_id": None} if test else {}
    told = delivery(K.PAGE, page=page, message=TURN, **facts)
    assert await mailer(mailbox).send(told, {}, read_back=False) == Delivered("mailed to noc@example.test")
    [read] = mailbox.read
    assert mailbox.recipients == ["noc@example.test"]
    subject = "TEST PAGE to noc: nothing is wrong" if test else "PAGE noc: SEV1 [INC-2026-1121-001] Checkout fails"
    assert read["Subject"] == subject
    assert (read["Importance"], read["X-Priority"], read["In-Reply-To"]) == ("high", "1", None)
    assert read["Date"].datetime == NOW
    plain = read.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert ("tocsin ack INC-2026-1121-001" in plain) is not test
    assert "Why: not acknowledged" in plain


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", ["drop", "hold", "421 later"])
async def test_before_the_mail_is_handed_over_nothing_is_lost_or_doubled(
    mailbox: Mailbox, verb: str, fault: str
) -> None:
    mailbox.befall(verb, fault)
    first, *_, last = await attempts(mailer(mailbox), mail())
    assert isinstance(first, RetryLater)
    assert first.provider_down
    assert first.unknown is (verb == "DATA" and fault != "421 later")
    assert isinstance(last, Delivered)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("fault", ["drop", "hold"])
async def test_a_lost_answer_repeats_the_same_mail(mailbox: Mailbox, fault: str) -> None:
    """SMTP has no reading back: a duplicate is the price, and it is the same to the last byte, so that it is folded."""
    mailbox.befall("MESSAGE", fault)
    lost, again = await attempts(mailer(mailbox), mail())
    assert isinstance(lost, RetryLater)
    assert (lost.unknown, lost.provider_down) == (True, True)
    assert again == Delivered(f"mailed to {TO}; perhaps for the second time, an answer was lost")
    first, second = mailbox.mails
    assert first == second


async def test_an_unknown_outcome_stays_unknown(mailbox: Mailbox) -> None:
    mailbox.befall("MESSAGE", "drop")
    mailbox.befall("CONNECT", "220 hello", "421 later")
    outcomes = await attempts(mailer(mailbox), mail())
    assert [isinstance(one, RetryLater) and one.unknown for one in outcomes] == [True, True, False]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "MESSAGE"])
async def test_for_now_is_tried_again_and_for_good_is_not(mailbox: Mailbox, verb: str) -> None:
    mailbox.befall(verb, "451 greylisted, s3cret words")
    later, then = await attempts(mailer(mailbox), mail())
    assert isinstance(later, RetryLater)
    assert (later.unknown, later.provider_down) == (False, False)
    assert later.after == timedelta(minutes=1)
    assert isinstance(then, Delivered)
    mailbox.befall(verb, "550 no such mailbox, s3cret words")
    [refused] = await attempts(mailer(mailbox), mail())
    assert isinstance(refused, Refused)
    assert "550" in refused.reason
    assert "s3cret" not in f"{later}{refused}"
    assert len(mailbox.mails) == 1


async def test_a_closed_port_is_no_unknown_outcome(mailbox: Mailbox, unused_tcp_port: int) -> None:
    outcome = await mailer(mailbox, url=f"smtp://127.0.0.1:{unused_tcp_port}").send(mail(), {}, read_back=False)
    assert outcome == RetryLater("the mail server is out of reach (SMTPConnectError)", provider_down=True)


async def test_nobody_to_mail_is_refused_and_so_not_silent(mailbox: Mailbox) -> None:
    outcome = await mailer(mailbox).send(mail(message=Message("")), {}, read_back=False)
    assert isinstance(outcome, Refused)
    assert "communication.email" in outcome.reason
    bare = delivery(K.EMAIL_REPORT, message=Message("", to=TO), incident=None)
    assert isinstance(await mailer(mailbox).send(bare, {}, read_back=False), Refused)
    assert mailbox.heard == []


async def test_signing_in_and_what_is_said_when_it_fails() -> None:
    async with Mailbox(wants_password=True) as mailbox:
        good, bad = (f"smtp://{USER}:{word}@127.0.0.1:{mailbox.port}" for word in (PASSWORD, "wr0ng%21"))
        assert await mailer(mailbox, url=good).check() is None
        assert isinstance(await mailer(mailbox, url=good).send(mail(), {}, read_back=False), Delivered)
        outcome = await mailer(mailbox, url=bad).send(mail(), {}, read_back=False)
        assert isinstance(outcome, RetryLater)
        assert outcome.after == timedelta(minutes=5)
        assert outcome.reason == "the mail server does not take our credentials (535); check TOCSIN_SMTP_URL"
        assert await mailer(mailbox, url=bad).check() == outcome.reason
        assert "wr0ng" not in repr((outcome, mailer(mailbox, url=bad)))


async def test_a_server_elsewhere_must_offer_tls(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifiers.email._LOOPBACK", frozenset())  # as if 127.0.0.1 were far away
    outcome = await mailer(mailbox).send(mail(), {}, read_back=False)
    assert isinstance(outcome, RetryLater)
    assert "STARTTLS" in outcome.reason
    assert "MAIL" not in mailbox.heard


async def test_starttls_with_a_certificate_that_is_trusted_and_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path], offered: ssl.SSLContext
) -> None:
    monkeypatch.setattr("notifiers.email._LOOPBACK", frozenset())
    own, _ = certificate
    async with Mailbox(offers_tls=offered, wants_password=True) as mailbox:
        url = f"smtp://{USER}:{PASSWORD}@127.0.0.1:{mailbox.port}"
        stranger = await mailer(mailbox, url=url, timeout=timedelta(seconds=2)).send(mail(), {}, read_back=False)
        assert isinstance(stranger, RetryLater)
        assert "TOCSIN_CA_FILE" in stranger.reason
        assert "AUTH" not in mailbox.heard
        trusting = ssl.create_default_context(cafile=own)
        known = mailer(mailbox, url=url, tls=trusting, timeout=timedelta(seconds=2))
        assert isinstance(await known.send(mail(), {}, read_back=False), Delivered)


@settings(max_examples=60, deadline=None)
@given(facts=hostile_facts, text=texts.filter(str.strip), by=texts, kind=st.sampled_from(KINDS))
def test_text_of_alerts_makes_neither_headers_nor_html(
    facts: IncidentFacts, text: str, by: str, kind: DeliveryKind
) -> None:
    told = mail(kind, facts, message=Message(text, by=by, actions=text, next_steps=by, to=TO), id=UPDATE)
    notifier = EmailNotifier("smtp://127.0.0.1:1", "tocsin@example.test")
    composed = notifier.composed(told, TO)
    raw = composed.as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert sorted(set(names)) == sorted(names)
    assert set(names) <= {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Auto-Response-Suppress", "Importance", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert raw == notifier.composed(told, TO).as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    html = prose(told).html
    assert "<script" not in html
    assert "<img" not in html
    assert "270213" not in html
    assert all(link.startswith(("http://", "https://")) for link in html.split('href="')[1:])


def test_only_what_pages_is_important() -> None:
    quiet = mail(facts=incident(priority=Priority.P2))
    assert EmailNotifier("smtp://h", "tocsin@example.test").composed(quiet, TO)["Importance"] is None


async def test_a_handoff_is_mailed_and_belongs_to_no_incident(mailbox: Mailbox) -> None:
    note = delivery(K.EMAIL_HANDOFF, message=Message("", to=TO), incident=None, incident_id=None)
    assert isinstance(await mailer(mailbox).send(note, {}, read_back=False), Delivered)
    composed = mailer(mailbox).composed(note, TO)
    assert composed["Subject"] == "On-call handoff: payments"
    assert composed["In-Reply-To"] is None
    assert composed.as_bytes() == mailer(mailbox).composed(note, TO).as_bytes()
    text = composed.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Schedule: payments\nLeaves: ana\nComes: ben, cleo\n" in text
    assert "INC-1 SEV1 checkout: Checkout fails (ana has it)" in text
    assert "Sent by Tocsin" in text
