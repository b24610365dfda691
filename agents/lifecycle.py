"""The only writer of incidents: applies a batch of signals to them in one transaction, then wakes the deliveries.

Everything that can change an incident is a signal on one topic keyed by incident key. A redelivered signal finds
itself in the inbox and changes nothing. Never sends anything to people and never talks to a provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from agents.ports import Loaded, PolicyBook, Store, Wake
from models import correlation, incident
from models.generation import governing
from models.records import Record
from models.signals import Signal, decode_signal
from models.state import Incident
from models.step import Folded, finish, fold


@dataclass(frozen=True, slots=True)
class LifecyclePorts:
    """What the lifecycle needs from outside."""

    store: Store
    policies: PolicyBook
    wake: Wake


async def run(batch: Sequence[Record], ports: LifecyclePorts) -> None:
    """Handles every signal of the batch, in order, in one transaction. Raises Unreadable, and what the store raises."""
    signals = [decode_signal(record.value) for record in batch]
    async with ports.store.incidents() as transaction:
        question = correlation.question(signals, await ports.policies.of(None))
        loaded = await transaction.begin([(signal.id, signal.kind, signal.key) for signal in signals], question)
        folded = [one async for one in _fold(signals, loaded, ports.policies)]
        opened = [one.after.id for one in folded if one.opens and one.after is not None]
        numbers = await transaction.numbers(len(opened), loaded.now) if opened else []
        named = dict(zip(opened, numbers, strict=True))
        providers = await transaction.save([finish(one, named) for one in folded])
    ports.wake(providers)


async def _fold(signals: Sequence[Signal], loaded: Loaded[Incident], policies: PolicyBook) -> AsyncIterator[Folded]:
    """Decides each signal that is seen for the first time, on the state that the ones before it left."""
    states, fresh = dict(loaded.states), set(loaded.fresh)
    for signal in signals:
        if signal.id not in fresh:
            continue
        fresh.discard(signal.id)
        state = states.get(signal.key)
        at = max(loaded.now, state.last_at) if state else loaded.now
        policy = await policies.of(governing(state, signal, at))
        folded = fold(state, signal, incident.decide(state, signal, policy, at, loaded.around), policy, at)
        if folded.after is not None:
            states[signal.key] = folded.after
            loaded.around.note(state, folded.after)
        yield folded
