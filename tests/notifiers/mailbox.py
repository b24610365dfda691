"""A mail server on loopback: as much of SMTP as it takes, and everything that mail servers do to a client."""

import asyncio
import base64
import ssl
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

USER, PASSWORD = "tocsin", "s3cret-of-the-mailbox"
VERBS = ("CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "MESSAGE")


@dataclass
class Mailbox:
    """`faults` by verb (CONNECT before the greeting, MESSAGE after the last line of a mail), one each: an answer,
    `drop` (hang up instead of answering) or `hold` (silence). After MESSAGE the mail has been taken unless the answer
    says no.
    """

    offers_tls: ssl.SSLContext | None = None
    wants_password: bool = False
    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """The commands, but never a password."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def read(self) -> list[EmailMessage]:
        """The mails, as a mail program understands them."""
        return [message_from_bytes(mail, policy=policy.default) for mail in self.mails]

    def befall(self, verb: str, *faults: str) -> None:
        assert verb in VERBS
        self.faults.setdefault(verb, []).extend(faults)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, _Over):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(writer, "CONNECT", "220 mailbox ready")
        while line := (await reader.readline()).decode().strip():
            verb = line.partition(" ")[0].upper()
            self.heard.append(verb)
            match verb:
                case "EHLO":
                    offers = ["mailbox", *(["STARTTLS"] if self.offers_tls else [])]
                    offers += ["AUTH PLAIN"] if self.wants_password else []
                    said = [f"250{'-' if offer != offers[-1] else ' '}{offer}" for offer in offers]
                    await self._answer(writer, verb, "\r\n".join(said))
                case "STARTTLS":
                    writer.write(b"220 go on\r\n")
                    assert self.offers_tls is not None
                    await writer.start_tls(self.offers_tls)
                case "AUTH":
                    given = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:]
                    known = given == [USER, PASSWORD]
                    await self._answer(writer, verb, "235 welcome" if known else "535 no")
                case "RCPT":
                    await self._answer(writer, verb, "250 ok")
                    self.recipients.append(line.partition("<")[2].partition(">")[0])
                case "DATA":
                    await self._answer(writer, verb, "354 go on")
                    await self._take(reader, writer)
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    await self._answer(writer, verb, "250 ok")

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise _Over
            lines.append(line.removeprefix(b"."))
        if not (self.faults.get("MESSAGE") or [""])[0][:1].isdigit():
            self.mails.append(b"".join(lines))
        await self._answer(writer, "MESSAGE", "250 taken")

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> None:
        match self.faults[verb].pop(0) if self.faults.get(verb) else usual:
            case "drop":
                raise _Over
            case "hold":
                await asyncio.Event().wait()
            case answer:
                writer.write(f"{answer}\r\n".encode())
                await writer.drain()
                if answer.startswith("421") or (answer is not usual and verb in {"RCPT", "MAIL", "DATA"}):
                    raise _Over


class _Over(Exception):
    """The connection ends here."""
