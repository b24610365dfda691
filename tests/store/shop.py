"""A desk with couriers, and what `tocsin verify` says of what happened there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents import delivery
from models.deliveries import Delivered, Outcome, Provider
from models.findings import Finding
from models.records import Outgoing
from models.severity import Severity
from models.signals import decode_signal
from models.store.verification import Evidence
from streams.verify import Examiner
from tests.store.desk import LEASE, Desk, OnePolicy, alerts, reached

KEY = "shop/checkout"
KEPT = timedelta(days=90)


class Later(Evidence):
    """As if it were later by now."""

    ahead = timedelta(0)

    async def now(self) -> datetime:
        return await super().now() + self.ahead


@dataclass
class Shop:
    """One desk with couriers: what happens to one incident, and what `tocsin verify` says of it."""

    desk: Desk

    async def alert(self, severity: Severity = Severity.SEV1, **changes: Any) -> None:
        received_at = changes.pop("received_at", None) or await self.desk.store.reads.now()
        await self.desk.handle(alerts(KEY, severity, received_at=received_at, **changes))

    async def send(self, outcome: Outcome = Delivered("sent")) -> None:  # noqa: B008 (frozen)
        """One attempt at everything that waits; then how the pages fared is told."""
        outbox = self.desk.store.outbox
        await self.desk.rows("UPDATE delivery SET next_at = now() WHERE status = 'pending'")
        for provider in Provider:
            while claimed := await outbox.claim(provider, 50, LEASE):
                await outbox.finish([(one, outcome, timedelta(hours=1)) for one in claimed])
        await delivery.report(outbox, self._publish, "incident.signals")

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        await self.desk.handle(*(decode_signal(record.value) for record in records))

    async def reach(self, name: str) -> None:
        """The deadline of that name comes due."""
        await self.desk.rows("UPDATE deadline SET next_at = now() WHERE name = %s AND ended_at IS NULL", name)
        for due in await self.desk.store.ledger.claim_due(10, LEASE):
            await self.desk.handle(reached(await self.desk.one("SELECT * FROM deadline WHERE id = %s", due.id)))

    async def found(self, ahead: timedelta = timedelta(0)) -> list[Finding]:
        evidence = Later(self.desk.store.evidence._database)
        evidence.ahead = ahead
        return list((await Examiner(evidence, OnePolicy(), KEPT).whole(KEPT)).findings)

    async def kinds(self, ahead: timedelta = timedelta(0)) -> list[str]:
        return sorted(one.kind.value for one in await self.found(ahead))

    async def damage(self, statement: str) -> list[str]:
        """What is found after a change behind Tocsin's back."""
        await self.desk.rows(statement)
        return await self.kinds()
