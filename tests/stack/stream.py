"""A stream of webhooks that goes on while something breaks, and what must hold afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, new_service, webhook
from tests.waiting import eventually

SENDERS = 8
PACE = 0.02
"""Seconds between webhooks, so that a stream has a middle."""


@dataclass
class Stream:
    """One incident per webhook. Each sender does as Alertmanager: what is not accepted is sent again."""

    stack: Stack
    prefix: str = field(default_factory=lambda: new_service("stream"))
    accepted: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def _send(self, number: int) -> None:
        service = f"{self.prefix}-{number}"
        self.stack.deliver_in_the_end(webhook(service, labels=URGENT))
        self.accepted.append(service)

    @contextmanager
    def flowing(self) -> Iterator[Stream]:
        """Webhooks flow until the block ends, and all of them have been accepted then."""

        def feed(pool: ThreadPoolExecutor) -> None:
            number = 0
            while not self._stop.wait(PACE):
                if len(sent) - sum(one.done() for one in sent) < 4 * SENDERS:
                    sent.append(pool.submit(self._send, number))
                    number += 1

        sent: list = []
        with ThreadPoolExecutor(SENDERS) as pool:
            feeder = threading.Thread(target=feed, args=(pool,))
            feeder.start()
            try:
                self.passes(20)
                yield self
            finally:
                self._stop.set()
                feeder.join()
            for one in sent:
                one.result()

    def passes(self, count: int, within: float = 40.0) -> float:
        """Waits until that many more are accepted; how many seconds that took."""
        began, goal = time.monotonic(), len(self.accepted) + count
        eventually(lambda: len(self.accepted) >= goal, within)
        return time.monotonic() - began

    def assert_all_open(self, within: float) -> list[str]:
        """Nothing that was accepted is lost; the ids of its incidents."""
        stack, want = self.stack, sorted(self.accepted)
        incidents = eventually(lambda: len(found := stack.all_incidents(self.prefix)) >= len(want) and found, within)
        assert sorted(one["service"] for one in incidents) == want
        return [one["id"] for one in incidents]

    def assert_each_paged_once(self, within: float) -> None:
        """Nothing that was accepted is lost, and nothing pages or is said twice."""
        ids, providers = self.assert_all_open(within), self.stack.providers
        eventually(lambda: all(providers.paged(ident) for ident in ids), within)
        eventually(lambda: not unsent(self.stack), within)
        assert {len(providers.paged(ident)) for ident in ids} == {1}
        assert {one["level"] for one in self.stack.all_incidents(self.prefix)} == {"primary"}
        assert providers.doubled() == []


def unsent(stack: Stack) -> list[dict[str, Any]]:
    """Deliveries that have not ended yet."""
    return [one for one in stack.get("/api/v1/deliveries", limit=1000) if one["ended_at"] is None]
