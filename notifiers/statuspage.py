"""Our own status page behind the port of any other: a stage becomes a publication, which whoever serves the page keeps.

Owns nothing but the way there. Words are the templates', the page itself is the web's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from models.deliveries import Delivered, Delivery, DeliveryKind, Outcome, Provider, Receipts, Refused, RetryLater
from models.statuspage import Publication, UnpublishedError
from notifiers.render import TemplateFault, publication

Publish = Callable[[Publication], Awaitable[None]]
"""Keeps a publication, once per `delivery_id`. Raises UnpublishedError while it cannot."""


class StatusPageNotifier:
    """An attempt with unknown outcome is simply made again: publishing is idempotent."""

    provider = Provider.STATUSPAGE
    recording = False

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port."""
        if delivery.kind is not DeliveryKind.PUBLICATION:
            return Refused(f"a {delivery.kind} cannot be published")
        try:
            told = publication(delivery)
        except TemplateFault as fault:
            return Refused(str(fault))
        try:
            await self._publish(told)
        except (UnpublishedError, OSError, TimeoutError) as error:
            return RetryLater(f"the status page could not be written: {error}", unknown=True, provider_down=True)
        return Delivered(f"status page: {told.stage}")

    async def check(self) -> str | None:
        """See the port. It is served by the same process that is asked about everything else."""
        return None

    async def close(self) -> None:
        """See the port."""
