"""Sends what must reach one provider, in order per lane, until it is delivered, refused for good or cancelled.

The intents in the store are the truth; a wake-up only says that there may be some, and a sweep finds what a crash
left. An attempt whose outcome is unknown is read back before it is sent again. A slow provider holds up its own lanes
and nothing else. Never decides what is sent, and never changes an incident: how a page fared goes back as a signal.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from agents import retries
from agents.breaker import Breaker, Circuit, Pace
from agents.outcomes import Claimed, Outcomes
from models.deliveries import Delivered, Delivery, Outcome, Refused, RetryLater
from models.records import Outgoing, Publish, Record
from models.signals import DeliveryReported, encode_signal
from notifiers.port import Notifier

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=6)
"""Renewed while an attempt is under way, so that it runs out only when its holder died."""
RENEW_EVERY = timedelta(seconds=2)
ATTEMPT_WITHIN = timedelta(seconds=18)
"""Whatever a notifier does; longer than three calls of five seconds."""
SWEEP_EVERY = timedelta(seconds=1)
ROOM_WITHIN = timedelta(milliseconds=25)
"""How long a full round waits for more room after the first: one claim fills it all."""
SPARED = 4
"""How many attempts at once a courier makes that is spared for something more urgent: few, so that none starves."""
REPORTS = 200
"""How many pages one pass reports at most."""
LATE_AFTER = timedelta(seconds=30)
"""A page that has not got through by then is told by a second way. POLICY 13, 32."""


class Report(Protocol):
    """How a page fared, not yet told to the lifecycle."""

    @property
    def delivery(self) -> Delivery: ...
    @property
    def outcome(self) -> Literal["delivered", "refused", "delayed"]: ...
    @property
    def detail(self) -> str: ...
    @property
    def at(self) -> datetime: ...


class Outbox(Protocol):
    """The store's side of delivery."""

    async def claim(self, provider: str, limit: int, lease: timedelta) -> Sequence[Claimed]:
        """Leases the heads of up to `limit` lanes, urgent ones first."""
        ...

    async def renew(self, claimed: Sequence[Claimed], lease: timedelta) -> None:
        """Leases what is still under way anew."""
        ...

    async def reports(self, limit: int, late_after: timedelta, patience: timedelta) -> Sequence[Report]:
        """Pages not reported yet: first those refused, and those late and not reported as such; then those that were
        delivered at least `patience` ago.
        """
        ...

    async def reported(self, reports: Sequence[Report]) -> None:
        """Notes that these were published."""
        ...


@dataclass(slots=True)
class Courier:
    """Delivers to one provider. `woken` is set by whoever knows of new work."""

    notifier: Notifier
    outbox: Outbox
    outcomes: Outcomes
    now: Callable[[], datetime]
    most: int = 32
    round_every: timedelta = timedelta(0)
    """The shortest time from one round to the next: messages share claims, pages never wait."""
    spared: Callable[[], bool] = lambda: False
    """True while something more urgent is short of processor time."""
    breaker: Breaker = field(default_factory=Breaker)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    pace: Pace = field(init=False)
    _renewed_at: datetime = field(init=False)
    _has_more: bool = True
    """There may be something to claim: somebody knocked, or not all of it was taken."""
    _look_at: float = 0.0
    """When to claim whatever is known, for a sweep; on the loop's clock."""
    _under_way: dict[asyncio.Task[Outcome], Claimed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pace = Pace(self.most)
        self._renewed_at = self.now()
        self.outcomes.couriers[self.notifier.provider] = self.woken

    @property
    def is_busy(self) -> bool:
        """True while an attempt is under way."""
        return bool(self._under_way)

    async def wake(self, batch: Sequence[Record]) -> None:
        """The agent on the provider's topic: there is something to deliver."""
        self.woken.set()

    async def work(self) -> None:
        """One round: starts what may be started, and waits until there may be more."""
        self._has_more |= self.woken.is_set()
        self.woken.clear()
        soonest = asyncio.get_running_loop().time() + self.round_every.total_seconds()
        await self._renew()
        taken: Sequence[Claimed] = ()
        if self._has_more or self._look_at <= asyncio.get_running_loop().time():
            taken = await self._claim()
            for claimed in taken:
                self._start(claimed)
        is_full = bool(taken) and self._has_more
        await self._until_something_happens()
        if not is_full or self.spared():  # a full round has nothing to gather
            await asyncio.sleep(soonest - asyncio.get_running_loop().time())

    async def drain(self) -> None:
        """Waits for what is under way and has it written: for a shutdown that leaves nothing unknown, and nothing to
        others while it lasts.
        """
        while self._under_way:
            await self._renew()
            await asyncio.wait(self._under_way, timeout=RENEW_EVERY.total_seconds())
            await self.outcomes.write()
        await self.outcomes.write()

    async def _until_something_happens(self) -> None:
        """A knock, a sweep's time, or an attempt that makes room for what waits."""
        knock = asyncio.create_task(self.woken.wait())
        wait = max(0.0, self._look_at - asyncio.get_running_loop().time())
        room = set(self._under_way) if self._has_more else set()
        try:
            await asyncio.wait({*room, knock}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if room and not knock.done():
                await asyncio.wait(room, timeout=ROOM_WITHIN.total_seconds())
        finally:
            knock.cancel()

    async def _renew(self) -> None:
        now = self.now()  # may go backwards
        if self._under_way and not timedelta(0) <= now - self._renewed_at < RENEW_EVERY:
            await self.outbox.renew(list(self._under_way.values()), LEASE)
            self._renewed_at = now

    async def _claim(self) -> Sequence[Claimed]:
        free = max(0, (SPARED if self.spared() else self.pace.width) - len(self._under_way))
        allowed = self.breaker.allowance(self.now(), free)
        # What is under way or answered by a lease that ran out, in an outage of the store, is not sent by a second one.
        # Listed first: it may be written, and so let go, while the claim that took it is on its way back.
        held = self.outcomes.held() | {claimed.delivery.id for claimed in self._under_way.values()}
        taken = await self.outbox.claim(self.notifier.provider, allowed, LEASE) if allowed else ()
        self._has_more = len(taken) == allowed
        now = asyncio.get_running_loop().time()
        if self._look_at <= now:  # else a knock came before it, and what is due then is due then
            self._look_at = now + SWEEP_EVERY.total_seconds()
        return [claimed for claimed in taken if claimed.delivery.id not in held]

    def _start(self, claimed: Claimed) -> None:
        self.breaker.started()
        attempt = asyncio.create_task(self._attempt(claimed))
        self._under_way[attempt] = claimed
        attempt.add_done_callback(self._ended)

    async def _attempt(self, claimed: Claimed) -> Outcome:
        """Ends in bounded time, whatever the notifier does."""
        try:
            async with asyncio.timeout(ATTEMPT_WITHIN.total_seconds()):
                return await self.notifier.send(claimed.delivery, claimed.receipts, read_back=claimed.unknown)
        except TimeoutError:
            return RetryLater(f"{self.notifier.provider} is too slow", unknown=True, provider_down=True)

    def _ended(self, attempt: asyncio.Task[Outcome]) -> None:
        claimed, outcome = self._under_way.pop(attempt), _outcome(attempt)
        retry_in = self._account(claimed, outcome)
        self.outcomes.note(claimed, _or_given_up(claimed, outcome), retry_in)

    def _account(self, claimed: Claimed, outcome: Outcome) -> timedelta | None:
        """Tells breaker and pace; how long until the next attempt, if there is one."""
        match outcome:
            case RetryLater(provider_down=True):
                self.breaker.failed(self.now())
                if self.breaker.circuit is Circuit.OPEN:
                    _log.warning("%s is down: %s", self.notifier.provider, outcome.reason)
            case RetryLater():
                self.breaker.succeeded()
                self.pace.slow_down()
            case Delivered() | Refused():
                self.breaker.succeeded()
                self.pace.speed_up()
        return retries.backoff(claimed.delivery, claimed.attempts, outcome) if isinstance(outcome, RetryLater) else None


def _outcome(attempt: asyncio.Task[Outcome]) -> Outcome:
    """What the attempt answered. A notifier does not raise; if one does, nobody knows what was sent."""
    if attempt.cancelled():
        return RetryLater("the attempt was cut off", unknown=True)
    error = attempt.exception()
    if error is None:
        return attempt.result()
    _log.error("a notifier raised, which is a bug", exc_info=error)
    return RetryLater(f"a bug in the notifier: {error!r}", unknown=True)


def _or_given_up(claimed: Claimed, outcome: Outcome) -> Outcome:
    delivery = claimed.delivery
    final = retries.or_given_up(delivery, claimed.age, outcome)
    if isinstance(final, Refused) and final is not outcome:
        of = delivery.incident.number if delivery.incident else delivery.incident_key or "no incident"
        _log.warning("%s: a %s of %s was %s", delivery.provider, delivery.kind.replace("_", " "), of, final.reason)
    return final


async def report(outbox: Outbox, publish: Publish, signals_topic: str, patience: timedelta = timedelta(0)) -> int:
    """Publishes how up to REPORTS pages fared, as signals, bad news first; how many there were. Good news may wait for
    `patience`. A repetition is absorbed by the inbox.
    """
    reports = [
        found for found in await outbox.reports(REPORTS, LATE_AFTER, patience) if found.delivery.page is not None
    ]
    if reports:
        await publish([_reported(found, signals_topic) for found in reports])
        await outbox.reported(reports)
    return len(reports)


def _reported(found: Report, topic: str) -> Outgoing:
    delivery = found.delivery
    signal = DeliveryReported(
        id=uuid.uuid5(delivery.id, found.outcome),
        key=delivery.incident_key,
        incident_id=delivery.incident_id or delivery.id,
        delivery_id=delivery.id,
        provider=delivery.provider,
        delivery_kind=delivery.kind,
        ordinal=delivery.page.ordinal if delivery.page else 0,
        outcome=found.outcome,
        detail=found.detail,
        at=found.at,
    )
    return Outgoing(topic, delivery.incident_key.encode(), encode_signal(signal))
