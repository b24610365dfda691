"""The handoff note: what those who leave and those who come must know. POLICY 11.

Owns what is in it and in which order; its words are a template's, its sending a notifier's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.oncall.schedule import Handoff
from models.severity import Severity


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What a note tells of one incident."""

    number: str
    title: str
    service: str
    severity: Severity
    opened_at: datetime
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    paged_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class HandoffFacts:
    """What a note is made of. `since` is when those who leave came; `incidents` may hold more than belongs in it."""

    schedule: str
    zone: str
    handoff: Handoff
    since: datetime
    next_at: datetime | None
    incidents: tuple[IncidentFacts, ...]


@dataclass(frozen=True, slots=True)
class HandoffNote:
    """A note's content. `tell` are all who are told it. `open` comes by severity and age; `resolved` and `pages`, which
    says how often somebody was paged, are of the shift that ends.
    """

    schedule: str
    zone: str
    at: datetime
    since: datetime
    next_at: datetime | None
    leaving: tuple[str, ...]
    coming: tuple[str, ...]
    tell: tuple[str, ...]
    open: tuple[IncidentFacts, ...]
    unacknowledged: tuple[str, ...]
    """Numbers of the open incidents that nobody has taken."""
    resolved: tuple[IncidentFacts, ...]
    pages: int
    mentions: Mapping[str, str] = field(default_factory=dict)
    """Slack ids of those who have one, by name."""


def handoff_note(facts: HandoffFacts) -> HandoffNote:
    """The note of one handoff."""
    handoff, began, ends = facts.handoff, facts.since, facts.handoff.at
    known = [incident for incident in facts.incidents if incident.opened_at < ends]
    still = sorted((one for one in known if one.resolved_at is None or one.resolved_at >= ends), key=_gravest_first)
    ended = (one for one in known if one.resolved_at is not None and began <= one.resolved_at < ends)
    return HandoffNote(
        schedule=facts.schedule,
        zone=facts.zone,
        at=ends,
        since=began,
        next_at=facts.next_at,
        leaving=handoff.leaving,
        coming=handoff.coming,
        tell=tuple(dict.fromkeys((*handoff.leaving, *handoff.coming, *handoff.remaining))),
        open=tuple(still),
        unacknowledged=tuple(one.number for one in still if one.acknowledged_by is None),
        resolved=tuple(sorted(ended, key=lambda one: (one.resolved_at or ends, one.number))),
        pages=_pages(known, began, ends),
    )


def _gravest_first(incident: IncidentFacts) -> tuple[int, datetime, str]:
    return incident.severity.rank, incident.opened_at, incident.number


def _pages(incidents: Iterable[IncidentFacts], began: datetime, ends: datetime) -> int:
    return sum(began <= at < ends for incident in incidents for at in incident.paged_at)
