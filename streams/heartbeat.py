"""Tocsin's own heartbeat: a probe travels the whole path, and only when it arrived is the outside watchdog called.

So that Tocsin's death is noticed by something that is not Tocsin (TOCSIN_HEARTBEAT_URL). The probe is a record among
the webhooks that opens nothing, on another partition every time; it has arrived once the lifecycle's transaction noted
its signal. Pages must get out and deadlines must fire, too.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import httpx

from agents.triage import probe_signal_id
from models.records import Publish
from models.store.rows import Figures, Handled
from models.webhook_record import Stamp, webhook_record
from streams import topics
from streams.clock import Clock
from streams.loops import nap
from streams.values import is_loopback

log = logging.getLogger(__name__)

BEAT_EVERY: Final = 30.0
ARRIVE_WITHIN: Final = 15.0
LOOK_EVERY: Final = 0.25
LONGEST_WAIT: Final = 120.0
"""Seconds that a page or a due deadline may have been waiting while the path still counts as working."""


class Reads(Protocol):
    """What the heartbeat asks of the store."""

    async def handled(self, signal_id: uuid.UUID) -> Handled | None: ...
    async def figures(self) -> Figures: ...


class PathBroken(Exception):
    """The path does not work end to end; the message says where it stopped."""


async def beat(
    publish: Publish, reads: Reads, clock: Clock, call: Callable[[], Awaitable[None]], within: float = ARRIVE_WITHIN
) -> None:
    """One beat: probes the path, then calls the watchdog. Raises PathBroken, and the environment's errors."""
    probe = uuid.uuid4()
    stamp = Stamp(probe, "tocsin", clock(), probe=True)
    await publish([webhook_record(topics.WEBHOOKS, stamp, f"probe/{probe}", b"")])
    signal_id = probe_signal_id(probe)
    try:
        async with asyncio.timeout(within):
            while await reads.handled(signal_id) is None:  # noqa: ASYNC110 (another process makes it true)
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise PathBroken(f"a probe was accepted, but no worker handled it within {within:g} s") from None
    figures = await reads.figures()
    if figures.oldest_pending_page_seconds > LONGEST_WAIT:
        raise PathBroken(f"a page has been waiting for {figures.oldest_pending_page_seconds:.0f} s")
    if figures.oldest_due_deadline_seconds > LONGEST_WAIT:
        raise PathBroken(f"a deadline has been due for {figures.oldest_due_deadline_seconds:.0f} s")
    await call()


def watchdog(url: str, tls: ssl.SSLContext | None) -> Callable[[], Awaitable[None]]:
    """Calls the outside watchdog. A refusal is raised as PathBroken, without the address, which is a secret."""

    async def call() -> None:
        try:
            proxied = not is_loopback(httpx.URL(url).host)
            async with httpx.AsyncClient(verify=tls or True, trust_env=proxied, timeout=10) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            raise PathBroken(f"the watchdog at TOCSIN_HEARTBEAT_URL does not answer: {type(error).__name__}") from None
        if answer.is_error:
            raise PathBroken(f"the watchdog at TOCSIN_HEARTBEAT_URL answered {answer.status_code}")

    return call


async def keep_beating(one_beat: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Beats until told to stop. What is broken is said once, and again when it works."""
    said = ""
    while not stop.is_set():
        try:
            await one_beat()
            if said:
                log.info("heartbeat: the path works again")
            said = ""
        except PathBroken as broken:
            if str(broken) != said:
                log.error("heartbeat withheld: %s", broken)  # noqa: TRY400 (a finding; its traceback says nothing)
            said = str(broken)
        await nap(stop, BEAT_EVERY)
