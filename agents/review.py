"""Follows resolved incidents: opens their postmortems, keeps action items, reminds owners. POLICY 22, 24.

Listens twice: to the public feed of incident events (what was resolved or reopened) and to its own signals (commands
of people, due deadlines). A postmortem's deadline is armed by the incident; should the feed have lost why, the log is
asked for it when it comes due. Never changes an incident.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from agents.ports import Loaded, PolicyBook, Store, Wake
from models import review
from models.deadlines import POSTMORTEM, deadline_id
from models.events import IncidentReopened, IncidentResolved
from models.feed import KINDS, FeedRecord, decode_feed
from models.records import Record
from models.review import Review
from models.review_signals import (
    ActionItemRequested,
    PostmortemRequired,
    PostmortemWithdrawn,
    ReviewSignal,
    decode_review_signal,
)
from models.signals import DeadlineReached
from models.step import Step, step_review

_ENDINGS = frozenset({b"incident_resolved", b"incident_reopened"})

Endings = Callable[[Sequence[uuid.UUID]], Awaitable[Sequence[FeedRecord]]]
"""How each of these incidents was resolved and reopened, in order, as the feed told it."""


@dataclass(frozen=True, slots=True)
class ReviewPorts:
    """What reviews need from outside."""

    store: Store
    policies: PolicyBook
    wake: Wake
    endings: Endings


async def follow(batch: Sequence[Record], ports: ReviewPorts) -> None:
    """Handles records of the public feed. Raises Unreadable, and what the store raises."""
    await _apply([signal for record in batch if _matters(record) for signal in _owed(decode_feed(record.value))], ports)


async def run(batch: Sequence[Record], ports: ReviewPorts) -> None:
    """Handles review signals. Raises Unreadable, and what the store raises."""
    signals = [decode_review_signal(record.value) for record in batch]
    due = [signal for signal in signals if isinstance(signal, DeadlineReached) and signal.name == POSTMORTEM]
    endings = await ports.endings([uuid.UUID(signal.key) for signal in due]) if due else ()
    await _apply(signals, ports, [told for feed in endings if (told := list(_owed(feed)))])


def _matters(record: Record) -> bool:
    """Most of the feed is not about endings; those records need not be read. One without the header is."""
    kinds = record.headers.get(KINDS)
    return kinds is None or not _ENDINGS.isdisjoint(kinds.split(b","))


def _owed(feed: FeedRecord) -> Iterator[ReviewSignal]:
    for entry in feed.events:
        signal_id, key = uuid.uuid5(feed.incident_id, f"review/{entry.seq}"), str(feed.incident_id)
        if isinstance(entry.event, IncidentResolved) and entry.event.postmortem_due is not None:
            yield PostmortemRequired(
                id=signal_id,
                key=key,
                incident_id=feed.incident_id,
                number=feed.number,
                title=feed.title,
                severity=entry.event.peak or feed.severity,
                owner=entry.event.postmortem_owner,
                resolved_at=entry.at,
                due_at=entry.event.postmortem_due,
                deadline_id=deadline_id(feed.incident_id, POSTMORTEM, entry.seq),
                policy_version=feed.policy_version,
            )
        elif isinstance(entry.event, IncidentReopened):
            yield PostmortemWithdrawn(id=signal_id, key=key, incident_id=feed.incident_id)


async def _apply(
    told: Sequence[ReviewSignal], ports: ReviewPorts, retold: Sequence[Sequence[ReviewSignal]] = ()
) -> None:
    """Handles what is `told`, and before it what the log has `retold` of incidents whose last ending is not known."""
    signals = [*(signal for endings in retold for signal in endings), *told]
    if not signals:
        return
    async with ports.store.reviews() as transaction:
        loaded = await transaction.begin([(signal.id, signal.kind, signal.key) for signal in signals])
        states: dict[str, Review] = dict(loaded.states)
        known = {one.id for endings in retold if _is_known(endings[-1], loaded) for one in endings}
        fresh, steps = loaded.fresh - known, []
        for signal in signals:
            if signal.id in fresh:
                fresh -= {signal.id}
                before = states.get(signal.key)
                at = max(loaded.now, before.last_at) if before else loaded.now
                policy = await ports.policies.of(_policy_version(before, signal))
                step: Step[Review] = step_review(before, signal, review.decide(before, signal, policy, at), policy, at)
                steps.append(step)
                if step.after is not None:
                    states[signal.key] = step.after
        providers = await transaction.save(steps)
    ports.wake(providers)


def _is_known(ending: ReviewSignal, loaded: Loaded[Review]) -> bool:
    """True when the review has seen this ending: its mark is there, or (the mark may be forgotten) what it armed."""
    review = loaded.states.get(ending.key)
    armed = review.deadlines.get(POSTMORTEM) if review else None
    waits = isinstance(ending, PostmortemRequired) and armed is not None and armed.id == ending.deadline_id
    return waits or ending.id not in loaded.fresh


def _policy_version(before: Review | None, signal: ReviewSignal) -> str | None:
    if before is not None:
        return before.policy_version
    return signal.policy_version if isinstance(signal, PostmortemRequired | ActionItemRequested) else None
