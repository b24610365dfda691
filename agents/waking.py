"""Wakes those who send: the couriers of this process at once, those of other workers by a record on Kafka.

Such a record only shortens the wait until the next sweep. So a burst of commits shares one per provider, whichever
worker has the topic's one partition gets it, and one that is lost costs a second. Never decides what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from models.deliveries import Provider
from models.records import Outgoing, Publish


@dataclass(slots=True)
class Waker:
    """`couriers` holds what this process's couriers wait for; `topic` is where those of other workers listen."""

    couriers: Mapping[Provider, asyncio.Event]
    publish: Publish
    topic: Callable[[Provider], str]
    called: asyncio.Event = field(default_factory=asyncio.Event)
    _untold: set[Provider] = field(default_factory=set)

    def wake(self, providers: Iterable[Provider]) -> None:
        """There is something to deliver, and it is committed."""
        for provider in providers:
            self.couriers[provider].set()
            self._untold.add(provider)
            self.called.set()

    async def tell_others(self) -> None:
        """One pass: a record for each provider that was woken since the last one."""
        self.called.clear()
        untold, self._untold = self._untold, set()
        await self.publish([Outgoing(self.topic(provider), b"", b"") for provider in sorted(untold)])
