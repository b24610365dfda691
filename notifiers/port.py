"""The port that every outside world is reached through. A fake passes the same contract tests as what it stands for."""

from __future__ import annotations

from typing import Protocol

from models.deliveries import Delivery, Outcome, Provider, Receipts


class Notifier(Protocol):
    """Renders and sends deliveries of one provider."""

    @property
    def provider(self) -> Provider:
        """Which provider's deliveries it takes."""
        ...

    @property
    def recording(self) -> bool:
        """True when it records instead of sending."""
        ...

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """One attempt, bounded in time, without retries of its own. Never raises for what a provider or network does.

        `read_back` is True after an attempt with unknown outcome: look first whether it went through.
        """
        ...

    async def check(self) -> str | None:
        """None when the provider is reachable and takes our credentials; else what is wrong, in one line (`doctor`)."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
