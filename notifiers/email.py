"""E-mail by SMTP: the three messages of POLICY 16 and what changes the picture, each delivery to one address.

SMTP has no reading back. After an attempt with unknown outcome the same mail is sent again, byte for byte and with the
same Message-ID, which mailboxes fold; a mail that comes twice is the price of one that never gets lost. One attempt per
call, on a connection of its own. Never sends a password without TLS to another machine; the server's words stay out of
every reason, because they may hold addresses and secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as MAIL_FORMAT
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from models.deliveries import (
    Delivered,
    Delivery,
    DeliveryKind,
    IncidentFacts,
    Outcome,
    Provider,
    Receipts,
    Refused,
    RetryLater,
)
from models.severity import Priority
from notifiers.render import Prose, TemplateFault, handoff_prose, page_prose, prose

_FORMAT: Final = MAIL_FORMAT.clone(cte_type="7bit")  # every server takes it, whatever it can
_CREDENTIALS_BACKOFF: Final = timedelta(minutes=5)
_GREYLISTED_BACKOFF: Final = timedelta(minutes=1)
_CREDENTIALS: Final = frozenset({530, 534, 535, 538})
_CLOSING: Final = 421
_GOODBYE_WITHIN: Final = 1.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
NOBODY: Final = (
    "the policy mails this incident to nobody; add communication.email, or addresses for the team that owns the service"
)


class EmailNotifier:
    """`url` is smtp://USER:PASSWORD@HOST:PORT with STARTTLS (on loopback without TLS), or smtps://… with TLS from the
    start; `sender` an address. One command may take `timeout`, one attempt three times that.
    """

    provider = Provider.EMAIL
    recording = False

    def __init__(
        self,
        url: str,
        sender: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._server = urlsplit(url)
        self._sender = sender
        self._domain = sender.rpartition("@")[2]
        self._tls = tls
        self._timeout = timeout

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port."""
        to = _address(delivery)
        if delivery.provider is not Provider.EMAIL or to is None:
            return Refused(NOBODY if delivery.provider is Provider.EMAIL else f"a {delivery.kind} cannot be mailed")
        try:
            mail = self.composed(delivery, to)
        except TemplateFault as fault:
            return Refused(str(fault))
        outcome = await self._send(mail, to)
        if not read_back:
            return outcome
        if isinstance(outcome, Delivered):
            return Delivered(f"{outcome.detail}; perhaps for the second time, an answer was lost")
        # Nobody can look, so the earlier attempt's fate stays unknown.
        return replace(outcome, unknown=True) if isinstance(outcome, RetryLater) else outcome

    async def check(self) -> str | None:
        """See the port. Signs in, and sends nothing."""
        try:
            async with asyncio.timeout(3 * self._timeout.total_seconds()):
                client = await self._connected()
                await _leave(client)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return _not_sent(error).reason
        return None

    async def close(self) -> None:
        """See the port. There is no connection between two attempts."""

    def composed(self, delivery: Delivery, to: str) -> EmailMessage:
        """The mail, the same whenever it is made. Raises TemplateFault for facts that cannot be told."""
        note = delivery.handoff
        told = _told(delivery)
        mail = EmailMessage(policy=_FORMAT)
        mail["From"] = Address("Tocsin", addr_spec=self._sender)
        mail["To"] = Address(addr_spec=to)
        mail["Subject"] = told.subject
        if delivery.kind is DeliveryKind.PAGE:
            self._urgent(mail, delivery)
        elif delivery.incident is not None:
            self._thread(mail, delivery, delivery.incident)
        elif note is not None:
            mail["Date"] = note.at
            mail["Message-ID"] = f"<{delivery.id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is answered to this
        mail["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
        mail.set_content(told.text)
        mail.add_alternative(told.html, subtype="html")
        mail.set_boundary(f"tocsin-{delivery.id}")
        return mail

    def _urgent(self, mail: EmailMessage, delivery: Delivery) -> None:
        """A page belongs to no thread, which a mail program might have muted."""
        mail["Message-ID"] = f"<{delivery.id}@{self._domain}>"
        at = delivery.incident.at if delivery.incident else delivery.page and delivery.page.asked_at
        if at is not None:
            mail["Date"] = at
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"

    def _thread(self, mail: EmailMessage, delivery: Delivery, incident: IncidentFacts) -> None:
        """All mails of an incident belong together."""
        thread = f"<{incident.incident_id}@{self._domain}>"
        mail["Date"] = incident.at
        if delivery.kind is DeliveryKind.EMAIL_REPORT:
            mail["Message-ID"] = thread
        else:
            mail["Message-ID"] = f"<{delivery.id}@{self._domain}>"
            mail["In-Reply-To"] = thread
            mail["References"] = thread
        if incident.priority in {Priority.P0, Priority.P1}:
            mail["Importance"] = "high"

    async def _send(self, mail: EmailMessage, to: str) -> Outcome:
        handed_over = False
        try:
            async with asyncio.timeout(3 * self._timeout.total_seconds()):
                client = await self._connected()
                with contextlib.ExitStack() as unfinished:
                    unfinished.callback(client.close)
                    await client.mail(self._sender)
                    await client.rcpt(to)
                    handed_over = True
                    await client.data(mail.as_bytes())
                    unfinished.pop_all()
        except aiosmtplib.SMTPResponseException as error:
            return _answered(error)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return replace(_not_sent(error), unknown=handed_over)
        await _leave(client)
        return Delivered(f"mailed to {to}")

    async def _connected(self) -> aiosmtplib.SMTP:
        """Connected, by TLS, and signed in. Raises SMTPException or OSError, and leaves no connection then."""
        server = self._server
        from_the_start = server.scheme == "smtps"
        client = aiosmtplib.SMTP(
            hostname=server.hostname,
            port=server.port or (465 if from_the_start else 587),
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password or "") if server.username else None,
            local_hostname=self._domain,
            timeout=self._timeout.total_seconds(),
            use_tls=from_the_start,
            start_tls=not from_the_start and server.hostname not in _LOOPBACK,
            tls_context=self._tls,
        )
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(client.close)
            await client.connect()
            unfinished.pop_all()
        return client


def _address(delivery: Delivery) -> str | None:
    if delivery.kind is DeliveryKind.PAGE:
        return delivery.page.email if delivery.page else None
    return delivery.message.to if delivery.message else None


def _told(delivery: Delivery) -> Prose:
    if delivery.kind is DeliveryKind.PAGE:
        return page_prose(delivery)
    return prose(delivery) if delivery.handoff is None else handoff_prose(delivery.handoff)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """A goodbye that nobody waits for: the mail has been taken."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        await client.quit(timeout=_GOODBYE_WITHIN)
    client.close()


def _answered(error: aiosmtplib.SMTPResponseException) -> RetryLater | Refused:
    """What an answer other than yes means. 4xx is for now, 5xx for good; credentials are for a person to correct."""
    code = error.code
    if code in _CREDENTIALS or isinstance(error, aiosmtplib.SMTPAuthenticationError):
        reason = f"the mail server does not take our credentials ({code}); check TOCSIN_SMTP_URL"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    if isinstance(error, aiosmtplib.SMTPConnectError | aiosmtplib.SMTPHeloError) or code == _CLOSING or code < 400:
        return RetryLater(f"the mail server is not available ({code})", provider_down=True)
    what = "the mail"
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        what = "the recipient"
    elif isinstance(error, aiosmtplib.SMTPSenderRefused):
        what = "the sender"
    if code < 500:
        return RetryLater(f"the mail server puts {what} off ({code})", after=_GREYLISTED_BACKOFF)
    where = {"the recipient": "; correct its address in the policy", "the sender": "; check TOCSIN_EMAIL_FROM"}
    return Refused(f"the mail server refused {what} ({code}){where.get(what, '')}")


def _not_sent(error: Exception) -> RetryLater:
    """No answer, or no conversation that we would want."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        refused = _answered(error)
        return refused if isinstance(refused, RetryLater) else RetryLater(refused.reason)
    if "CERTIFICATE_VERIFY_FAILED" in f"{error}{error.__cause__}":
        reason = "the mail server's certificate is not trusted here; set TOCSIN_CA_FILE"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    if type(error) is aiosmtplib.SMTPException:  # what the client itself will not do: sign in or go on without TLS
        reason = "the mail server offers no STARTTLS, or no way to sign in; check TOCSIN_SMTP_URL (smtps:// is TLS)"
        return RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True)
    return RetryLater(f"the mail server is out of reach ({type(error).__name__})", provider_down=True)
