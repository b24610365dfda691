"""The only writer of incidents: applies a batch of signals to them in one transaction, then wakes the deliveries.

Everything that can change an incident is a signal on one topic keyed by incident key. A redelivered signal finds
itself in the inbox and changes nothing. Never sends anything to people and never talks to a provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.ports import Loaded, PolicyBook, Store
from models import incident
from models.deliveries import Provider
from models.events import Event, IncidentOpened
from models.policy import Policy
from models.records import Outgoing, Publish, Record
from models.signals import AlertsReported, IncidentDeclared, Signal, decode_signal
from models.state import Incident
from models.step import Step, numbered, step_incident


@dataclass(frozen=True, slots=True)
class LifecyclePorts:
    """What the lifecycle needs from outside."""

    store: Store
    policies: PolicyBook
    publish: Publish
    wake_topic: Callable[[Provider], str]


@dataclass(frozen=True, slots=True)
class _Decision:
    signal: Signal
    events: list[Event]
    policy: Policy
    at: datetime


async def run(batch: Sequence[Record], ports: LifecyclePorts) -> None:
    """Handles every signal of the batch, in order, in one transaction. Raises Unreadable, and what the store raises."""
    signals = [decode_signal(record.value) for record in batch]
    async with ports.store.incidents() as transaction:
        loaded = await transaction.begin([(signal.id, signal.kind, signal.key) for signal in signals])
        decisions = [decision async for decision in _decisions(signals, loaded, ports.policies)]
        openings = sum(isinstance(event, IncidentOpened) for decision in decisions for event in decision.events)
        numbers = await transaction.numbers(openings, loaded.now) if openings else []
        providers = await transaction.save(_steps(decisions, loaded.states, numbers))
    key = signals[0].key.encode() if signals else b""
    await ports.publish([Outgoing(ports.wake_topic(provider), key, b"") for provider in sorted(providers)])


async def _decisions(
    signals: Sequence[Signal], loaded: Loaded[Incident], policies: PolicyBook
) -> AsyncIterator[_Decision]:
    """Decides each signal that is seen for the first time, on the state that the ones before it left."""
    states, fresh = dict(loaded.states), set(loaded.fresh)
    for signal in signals:
        if signal.id not in fresh:
            continue
        fresh.discard(signal.id)
        state = states.get(signal.key)
        at = max(loaded.now, state.last_at) if state else loaded.now
        policy = await _policy(state, signal, at, policies)
        events = incident.decide(state, signal, policy, at)
        for event in events:
            state = states[signal.key] = incident.evolve(state, event, at)
        yield _Decision(signal, events, policy, at)


def _steps(
    decisions: Sequence[_Decision], before: Mapping[str, Incident], numbers: Sequence[str]
) -> list[Step[Incident]]:
    """Folds the decisions once more, now that every opening has its number, into what is to be written."""
    states, left = dict(before), iter(numbers)
    steps = []
    for decision in decisions:
        key = decision.signal.key
        opens = any(isinstance(event, IncidentOpened) for event in decision.events)
        events = numbered(decision.events, next(left)) if opens else decision.events
        step = step_incident(states.get(key), decision.signal, events, decision.policy, decision.at)
        if step.after is not None:
            states[key] = step.after
        steps.append(step)
    return steps


async def _policy(state: Incident | None, signal: Signal, at: datetime, policies: PolicyBook) -> Policy:
    """The policy in force at opening is the incident's; a new generation takes the one that came with its signal."""
    offered = signal.policy_version if isinstance(signal, AlertsReported | IncidentDeclared) else None
    if state is None:
        return await policies.of(offered)
    kept = await policies.of(state.policy_version)
    over = state.resolved_at is not None and at - state.resolved_at > kept.reopen_within
    return await policies.of(offered) if offered and over else kept
