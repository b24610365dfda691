"""The load: webhooks at a steady rate, or as fast as they are accepted; and waiting for the pages that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic

from tests.bench.http import Connection
from tests.bench.webhooks import Webhook

PATH = "/webhooks/alertmanager"
_TRY_AGAIN_AFTER = 0.05


@dataclass(slots=True)
class Sent:
    """When each service's webhook was sent, and what came back. Seconds of the monotonic clock."""

    at: dict[str, float] = field(default_factory=dict)
    accepted_at: float = 0.0
    """When the last one was accepted."""
    refused: int = 0
    """How often a webhook was answered 503 and sent again."""

    @property
    def began_at(self) -> float:
        return min(self.at.values())


async def at_rate(address: str, load: Iterable[Webhook], per_second: float) -> Sent:
    """An open loop: each webhook has its instant, whether or not the ones before it were answered."""
    sent, idle = Sent(), [await Connection.to(address) for _ in range(8)]
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()

    async def one(webhook: Webhook) -> None:
        connection = idle.pop() if idle else await Connection.to(address)
        await _post(connection, webhook, sent)
        idle.append(connection)

    async with asyncio.TaskGroup() as tasks:
        for number, webhook in enumerate(load):
            await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
            tasks.create_task(one(webhook))
    for connection in idle:
        connection.close()
    return sent


async def as_fast_as_accepted(address: str, load: Iterable[Webhook], connections: int) -> Sent:
    """A closed loop: every connection sends its next webhook once the last one was answered."""
    sent, left = Sent(), iter(load)

    async def one_connection() -> None:
        connection = await Connection.to(address)
        for webhook in left:
            await _post(connection, webhook, sent)
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one_connection())
    return sent


async def _post(connection: Connection, webhook: Webhook, sent: Sent) -> None:
    sent.at[webhook.service] = monotonic()
    while True:
        status, body = await connection.request("POST", PATH, webhook.body)
        sent.accepted_at = monotonic()
        if 200 <= status < 300:
            return
        if status != 503:
            raise RuntimeError(f"a webhook was answered {status}: {body.decode(errors='replace')[:200]}")
        sent.refused += 1
        await asyncio.sleep(_TRY_AGAIN_AFTER)
