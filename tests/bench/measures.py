"""The measures. Each runs on one system at a time and answers with the figures of one round."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg

from tests.bench.arrivals import arrivals
from tests.bench.figures import Figures
from tests.bench.http import get
from tests.bench.load import Sent, as_fast_as_accepted, at_rate
from tests.bench.system import ENDED_LATE, System
from tests.bench.usage import Usage, roles, settled, started_anew, watched
from tests.bench.webhooks import Webhook, webhooks

CONNECTIONS = 32
_DONE_WITHIN = 120.0
_LOOK_EVERY = 0.02
_runs = count(1)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    rounds: int = 2
    latency_s: float = 20.0
    per_second: float = 50.0
    throughput: int = 3000
    groups: int = 1000
    alerts_of_group: int = 100
    due: int = 1000
    pending: int = 100_000
    backlog: int = 500


QUICK = Size(rounds=1, latency_s=4.0, throughput=400, groups=100, due=200, pending=10_000, backlog=50)
Measure = Callable[[System, Size], Awaitable[Figures]]
_Load = Callable[[str, Iterable[Webhook]], Awaitable[Sent]]


@dataclass(slots=True)
class Run:
    """One load, the pages that came of it and what that took."""

    sent: Sent
    pages: list[tuple[str, float]]
    rested_at: float
    usage: Usage

    @property
    def seconds(self) -> float:
        """From the first webhook to the last page."""
        return max(at for _, at in self.pages) - self.sent.began_at

    @property
    def rested_s(self) -> float:
        """From the first webhook until nothing was left to do: messages, receipts and the feed come after the pages."""
        return self.rested_at - self.sent.began_at

    @property
    def accepted_s(self) -> float:
        """From the first webhook to the last answer."""
        return self.sent.accepted_at - self.sent.began_at

    def latencies_ms(self) -> tuple[float, ...]:
        """From each webhook to its first page."""
        first: dict[str, float] = {}
        for service, at in self.pages:
            first.setdefault(service, at)
        return tuple((first[service] - at) * 1000 for service, at in self.sent.at.items())


async def latency(system: System, size: Size) -> Figures:
    """Webhook → page at a steady rate."""

    async def steadily(address: str, load: Iterable[Webhook]) -> Sent:
        return await at_rate(address, load, size.per_second)

    await _run(system, steadily, 100, 10)
    run = await _run(system, steadily, int(size.latency_s * size.per_second), 10)
    return {"ms": run.latencies_ms(), "pages": len(run.pages), "cpu_s": run.usage.cpu_s}


async def throughput(system: System, size: Size) -> Figures:
    """As fast as accepted, until the last page has arrived."""
    await _run(system, _flat_out, size.throughput // 10, 10)
    run = await _run(system, _flat_out, size.throughput, 10)
    per_second = size.throughput / run.seconds
    return {
        "webhooks_per_s": per_second,
        "alerts_per_s": per_second * 10,
        "accepted_per_s": size.throughput / run.accepted_s,
        "rested_s": run.rested_s,
        "pages": len(run.pages),
        "cpu_s": run.usage.cpu_s,
    }


async def storm(system: System, size: Size) -> Figures:
    """Large groups, all at once."""
    run = await _run(system, _flat_out, size.groups, size.alerts_of_group)
    return {
        "seconds": run.seconds,
        "accepted_s": run.accepted_s,
        "rested_s": run.rested_s,
        "answered_503": run.sent.refused,
        "pages": len(run.pages),
        "cpu_s": run.usage.cpu_s,
        "peak_mib": run.usage.peak_mib,
    }


async def deadlines(system: System, size: Size) -> Figures:
    """Acknowledgement clocks of open incidents, made due at one instant among many that are not. Lateness is until
    each is handed on: to be read, durable, on the topic of whoever decides what it means. It has `ended` once its row
    is durable as fired: with ours what follows is decided then, the floor only marks it.
    """
    await _run(system, _flat_out, size.due, 1)
    async with (
        await psycopg.AsyncConnection.connect(system.database, autocommit=True) as connection,
        arrivals(system.brokers, system.kind.due_topic) as arrived,
    ):
        await connection.execute(system.kind.fill, [size.pending])
        await connection.execute("VACUUM ANALYZE deadline")
        await connection.execute("CHECKPOINT")
        await settled(system.pid)
        async with watched(system.pid) as usage:
            made = await connection.execute(system.kind.make_due, [size.due])
            due = {str(row[0]): float(row[1]) for row in await made.fetchall()}
            ended = await _fired(connection, system, list(due))
            await settled(system.pid)
    return {
        "ms": tuple((arrived[one] - at) * 1000 for one, at in due.items()),
        "ended_ms": ended,
        "fired": len(ended),
        "cpu_s": usage.cpu_s,
    }


async def memory(system: System, size: Size) -> Figures:
    """Two backlogs, one four times as large: webhooks that came while the worker stood still. Both are more than it
    takes into memory at once. Each is met by a worker just started: one process's peak never falls again, so the
    second of two in a row would tell of time as much as of size.
    """

    async def while_stopped(address: str, load: Iterable[Webhook]) -> Sent:
        workers = roles(system.pid)["worker"]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            return await _flat_out(address, load)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    peaks: dict[str, object] = {}
    for number in (size.backlog, 4 * size.backlog):
        await started_anew(system.pid, "worker")
        run = await _run(system, while_stopped, number, size.alerts_of_group)
        peaks[f"mib_{number}_behind"] = run.usage.peak_mib
    return peaks


MEASURES: dict[str, Measure] = {
    "latency": latency,
    "throughput": throughput,
    "storm": storm,
    "deadlines": deadlines,
    "memory": memory,
}
RATIOS = {
    "latency": {"p50": "p50_ms", "p99": "p99_ms"},
    "throughput": {"webhooks_per_s": "webhooks_per_s", "alerts_per_s": "alerts_per_s"},
    "storm": {"seconds": "seconds"},
    "deadlines": {"p50_ms": "p50_ms", "p99_ms": "p99_ms", "ended_p99_ms": "ended_p99_ms"},
    "memory": {},
}
"""For each measure, what is compared: name in the ratio → name in the figures."""


async def _flat_out(address: str, load: Iterable[Webhook]) -> Sent:
    return await as_fast_as_accepted(address, load, CONNECTIONS)


async def _run(system: System, load: _Load, number: int, alerts: int) -> Run:
    """Sends `number` webhooks, waits for as many pages, and until the system rests: doubles would come late."""
    name = f"{system.kind.name}.{next(_runs)}"
    async with watched(system.pid) as usage:
        sent = await load(system.address, webhooks(name, number, alerts=alerts))
        async with asyncio.timeout(_DONE_WITHIN):
            while await get(system.peer, f"/pages/{name}/count") < number:
                await asyncio.sleep(_LOOK_EVERY)
        rested_at = await settled(system.pid)
    pages = [(service, at) for service, at in await get(system.peer, f"/pages/{name}")]
    return Run(sent, pages, rested_at, usage)


async def _fired(connection: psycopg.AsyncConnection[Any], system: System, ids: list[str]) -> tuple[float, ...]:
    """How late each ended. Looks now and then only: whoever looks costs processor time, too."""
    async with asyncio.timeout(_DONE_WITHIN):
        while True:
            await asyncio.sleep(0.5)
            cursor = await connection.execute(ENDED_LATE, [ids])
            rows = await cursor.fetchall()
            if len(rows) >= len(ids):
                return tuple(float(row[0]) for row in rows)
