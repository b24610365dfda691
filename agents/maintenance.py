"""Keeps maintenance windows: plans what recurs by the policy, applies signals to them, and says when holds change.
POLICY 21.

Never changes an incident: the lifecycle looks at the windows in its own transaction. Only where a window ends sooner or
later than it was held for are the incidents told that it may hold, after the commit and again with every redelivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agents.ports import MaintenanceStore, PolicyBook, Wake
from models import maintenance
from models.maintenance import BY_POLICY, MaintenanceWindow
from models.maintenance_rules import occurrence_id, occurrences
from models.maintenance_signals import (
    TOPIC,
    MaintenanceCancelRequested,
    MaintenanceEndRequested,
    MaintenanceRequested,
    MaintenanceSignal,
    decode_maintenance_signal,
)
from models.policy import Policy
from models.records import Outgoing, Publish, Record
from models.signals import HoldsChanged, encode_signal
from models.step import Step, step_maintenance

SOONEST: Final = timedelta(days=14)
"""What recurs is planned at least this far ahead, so that the status page shows it. POLICY 21."""
_CHANGES: Final = (MaintenanceEndRequested, MaintenanceCancelRequested)


@dataclass(frozen=True, slots=True)
class MaintenancePorts:
    """What maintenance needs from outside."""

    store: MaintenanceStore
    policies: PolicyBook
    wake: Wake
    publish: Publish
    signals_topic: str
    """Where incidents are told."""


async def run(batch: Sequence[Record], ports: MaintenancePorts) -> None:
    """Handles maintenance signals. Raises Unreadable, and what the store and the broker raise."""
    signals = [decode_maintenance_signal(record.value) for record in batch]
    async with ports.store.maintenance() as transaction:
        loaded = await transaction.begin([(signal.id, signal.kind, signal.key) for signal in signals])
        states, fresh = dict(loaded.states), set(loaded.fresh)
        steps: list[Step[MaintenanceWindow]] = []
        for signal in signals:
            if signal.id not in fresh:
                continue
            fresh.discard(signal.id)
            before = states.get(signal.key)
            at = max(loaded.now, before.last_at) if before else loaded.now
            policy = await ports.policies.of(_policy_version(before, signal))
            fired = await transaction.fired(before, at) if before else ()
            events = maintenance.decide(before, signal, policy, at, fired)
            steps.append(step_maintenance(before, signal, events, policy, at))
            if (after := steps[-1].after) is not None:
                states[signal.key] = after
        providers = await transaction.save(steps)
    ports.wake(providers)
    await _tell_held(signals, states.values(), ports)


def _policy_version(before: MaintenanceWindow | None, signal: MaintenanceSignal) -> str | None:
    if isinstance(signal, MaintenanceRequested):
        return signal.policy_version
    return before.policy_version if before else None


async def _tell_held(
    signals: Iterable[MaintenanceSignal], windows: Iterable[MaintenanceWindow], ports: MaintenancePorts
) -> None:
    """Incidents that one of the windows may hold look anew at whether it still does."""
    changes = {one.key: one.id for one in signals if isinstance(one, _CHANGES)}
    changed = [window for window in windows if str(window.id) in changes]
    if not changed:
        return
    await ports.publish(
        [
            Outgoing(ports.signals_topic, key.encode(), encode_signal(HoldsChanged(id=signal_id, key=key)))
            for key, service, environment in await ports.store.held()
            for window in changed
            if window.covers(service, environment)
            for signal_id in [uuid.uuid5(changes[str(window.id)], f"held/{key}")]
        ]
    )


Known = Callable[[], Awaitable[Sequence[MaintenanceWindow]]]
"""The windows that are planned or under way, and those that were lately."""


async def plan(known: Known, policy: Policy, version: str, now: datetime, publish: Publish) -> None:
    """One look at what recurs by the policy in force: plans what is not planned yet, and calls off what the policy no
    longer has and has not begun. Takes nothing but what is, so a look that was missed needs no other.
    """
    windows = {window.id: window for window in await known()}
    wanted = {signal.key: signal for signal in _recurring(policy, version, now)}
    fresh = [signal for key, signal in wanted.items() if _is_wanted(windows.get(uuid.UUID(key)))]
    gone = [
        MaintenanceCancelRequested(id=uuid.uuid4(), key=str(window.id), by=BY_POLICY, via="tocsin")
        for window in windows.values()
        if window.rule and window.status == "planned" and str(window.id) not in wanted and window.starts_at > now
    ]
    signals: list[MaintenanceSignal] = [*fresh, *gone]
    await publish([Outgoing(TOPIC, signal.key.encode(), encode_signal(signal)) for signal in signals])


def _is_wanted(known: MaintenanceWindow | None) -> bool:
    return known is None or (known.status == "cancelled" and known.ended_by == BY_POLICY)


def _recurring(policy: Policy, version: str, now: datetime) -> Iterator[MaintenanceRequested]:
    rules = policy.maintenance
    for name, rule in rules.recurring.items():
        ahead = max(SOONEST, *rules.announced_before(name)) + timedelta(days=1)
        for span in occurrences(rule, now, now + ahead):
            yield MaintenanceRequested(
                id=uuid.uuid4(),
                key=str(occurrence_id(name, rule, span)),
                title=rule.title,
                services=rule.services,
                environment=rule.environment,
                starts_at=span.start,
                ends_at=span.end,
                covers_sev1=rule.covers_sev1,
                rule=name,
                by=BY_POLICY,
                via="tocsin",
                policy_version=version,
            )
