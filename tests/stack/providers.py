"""All providers on loopback for processes under test: the peers of the notifiers' tests, in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.notifiers.mailbox import Mailbox
from tests.notifiers.peer import API_TOKEN, TICKET_TOKEN, TOKEN, Peer

ROUTING_KEYS = {
    "primary": "1" * 32,
    "secondary": "2" * 32,
    "manager": "3" * 32,
}


class Providers(Peer):
    """All providers. What they were sent is looked at from the test's thread; lists are only ever appended to."""

    loop: asyncio.AbstractEventLoop
    mailbox: Mailbox
    before: tuple[int, int] = (0, 0)
    """How many pages and messages there were when the test began."""

    def begin(self) -> None:
        """A test begins: what was sent before is not its own."""
        self.before = len(self.pages), len(self.messages)

    def settings(self) -> dict[str, str]:
        """The variables that point Tocsin here."""
        return {
            "TOCSIN_PAGERDUTY_EVENTS_URL": self.url,
            "TOCSIN_PAGERDUTY_API_URL": self.url,
            "TOCSIN_PAGERDUTY_API_TOKEN": API_TOKEN,
            "TOCSIN_PAGERDUTY_ROUTING_KEY": ROUTING_KEYS["primary"],
            "TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY": ROUTING_KEYS["secondary"],
            "TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER": ROUTING_KEYS["manager"],
            "TOCSIN_SLACK_API_URL": f"{self.url}/api",
            "TOCSIN_SLACK_BOT_TOKEN": TOKEN,
            "TOCSIN_SMTP_URL": self.mailbox.url,
            "TOCSIN_EMAIL_FROM": "tocsin@example.test",
            "TOCSIN_TICKET_URL": f"{self.url}/tickets",
            "TOCSIN_TICKET_TOKEN": TICKET_TOKEN,
        }

    def release(self) -> None:
        """Lets go of every request that is held. Called from the test's thread."""
        held, self.released = self.released, asyncio.Event()
        self.loop.call_soon_threadsafe(held.set)

    def events(self, incident_id: str, action: str = "trigger") -> list[tuple[str, str]]:
        """What PagerDuty was told of an incident, in order: routing key and dedup_key."""
        return [
            (told["routing_key"], told["dedup_key"])
            for call, told in list(self.requests)
            if call == "enqueue" and told["event_action"] == action and told["dedup_key"].startswith(incident_id)
        ]

    def asked(self, page: str) -> list[tuple[float, dict]]:
        """When and how PagerDuty was told or asked about a page, in order."""
        return [
            (at, told)
            for at, (_, told) in zip(list(self.arrived), list(self.requests), strict=False)
            if page in {told.get("dedup_key"), told.get("incident_key")}
        ]

    def paged(self, incident_id: str) -> list[str]:
        """The dedup_keys that woke somebody, in order."""
        return [key for key in list(self.pages) if key.startswith(incident_id)]

    def doubled(self) -> list[str]:
        """Dedup_keys that woke somebody twice since the test began, and Slack messages that stand there twice."""
        pages, messages = self.before
        said = Counter(
            f"{message['metadata']['event_payload']}" if isinstance(message["metadata"], dict) else message["metadata"]
            for message in list(self.messages)[messages:]
            if message.get("metadata")
        )
        return [thing for thing, times in (Counter(list(self.pages)[pages:]) + said).items() if times > 1]

    def incident_messages(self, number: str) -> list[str]:
        """What Slack shows of an incident, as its JSON."""
        return [text for text in map(str, list(self.messages)) if number in text]


@contextmanager
def providers() -> Iterator[Providers]:
    """Serves until the block ends; what was sent against the providers' rules fails it."""
    peer = Providers(channels_a_page=1000, messages_a_page=200)  # as Slack, where hundreds of messages stand
    loop = peer.loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(peer.start(), loop).result(10)
    peer.mailbox = asyncio.run_coroutine_threadsafe(Mailbox().__aenter__(), loop).result(10)
    try:
        yield peer
    finally:
        peer.release()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert peer.complaints == []
