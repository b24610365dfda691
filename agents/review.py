"""Follows resolved incidents: opens their postmortems, keeps action items, reminds owners. POLICY 22, 24.

Listens twice: to the public feed of incident events (what was resolved or reopened) and to its own signals (commands
of people, due deadlines). Never changes an incident.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.ports import PolicyBook, Store, Wake
from models import review
from models.deadlines import deadline_id
from models.events import IncidentReopened, IncidentResolved
from models.feed import KINDS, FeedRecord, decode_feed
from models.records import Record
from models.review import Review
from models.signals import (
    ActionItemRequested,
    PostmortemRequired,
    PostmortemWithdrawn,
    ReviewSignal,
    decode_review_signal,
)
from models.state import POSTMORTEM
from models.step import Step, step_review

_ENDINGS = frozenset({b"incident_resolved", b"incident_reopened"})


@dataclass(frozen=True, slots=True)
class ReviewPorts:
    """What reviews need from outside."""

    store: Store
    policies: PolicyBook
    wake: Wake


async def follow(batch: Sequence[Record], ports: ReviewPorts) -> None:
    """Handles records of the public feed. Raises Unreadable, and what the store raises."""
    await _apply([signal for record in batch if _matters(record) for signal in _owed(decode_feed(record.value))], ports)


async def run(batch: Sequence[Record], ports: ReviewPorts) -> None:
    """Handles review signals. Raises Unreadable, and what the store raises."""
    await _apply([decode_review_signal(record.value) for record in batch], ports)


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
                severity=feed.severity,
                owner=entry.event.postmortem_owner,
                resolved_at=entry.at,
                due_at=entry.event.postmortem_due,
                deadline_id=deadline_id(feed.incident_id, POSTMORTEM, entry.seq),
                policy_version=feed.policy_version,
            )
        elif isinstance(entry.event, IncidentReopened):
            yield PostmortemWithdrawn(id=signal_id, key=key, incident_id=feed.incident_id)


async def _apply(signals: Sequence[ReviewSignal], ports: ReviewPorts) -> None:
    if not signals:
        return
    async with ports.store.reviews() as transaction:
        loaded = await transaction.begin([(signal.id, signal.kind, signal.key) for signal in signals])
        states: dict[str, Review] = dict(loaded.states)
        fresh, steps = set(loaded.fresh), []
        for signal in signals:
            if signal.id in fresh:
                fresh.discard(signal.id)
                before = states.get(signal.key)
                at = max(loaded.now, before.last_at) if before else loaded.now
                policy = await ports.policies.of(_policy_version(before, signal))
                step: Step[Review] = step_review(before, signal, review.decide(before, signal, policy, at), policy, at)
                steps.append(step)
                if step.after is not None:
                    states[signal.key] = step.after
        providers = await transaction.save(steps)
    ports.wake(providers)


def _policy_version(before: Review | None, signal: ReviewSignal) -> str | None:
    if before is not None:
        return before.policy_version
    return signal.policy_version if isinstance(signal, PostmortemRequired | ActionItemRequested) else None
