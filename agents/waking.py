"""Wakes those who send: the couriers of this process at once, those of other workers by a record on Kafka.

A record only shortens the wait until the next sweep, so a burst of commits shares one per provider, and one that is
lost costs a second. Never decides what is sent.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from models.deliveries import Provider
from models.records import Outgoing, Publish

TELL_OTHERS_EVERY = timedelta(milliseconds=100)


@dataclass(slots=True)
class Waker:
    """`woken` are the events that this process's couriers wait for; `topic` is where the other workers' listen."""

    woken: Mapping[Provider, asyncio.Event]
    publish: Publish
    topic: Callable[[Provider], str]
    _untold: set[Provider] = field(default_factory=set)
    _any: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, providers: Iterable[Provider]) -> None:
        """There is something to deliver, and it is committed."""
        for provider in providers:
            self.woken[provider].set()
            self._untold.add(provider)
            self._any.set()

    async def tell_others(self) -> None:
        """One pass: waits until there is something to tell, tells it, and lets more gather."""
        await self._any.wait()
        self._any.clear()
        untold, self._untold = self._untold, set()
        # Any key will do: it decides which of the workers is woken, and each time it should be another one.
        await self.publish([Outgoing(self.topic(provider), uuid.uuid4().bytes, b"") for provider in sorted(untold)])
        await asyncio.sleep(TELL_OTHERS_EVERY.total_seconds())
