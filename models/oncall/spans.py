"""Spans of time and what people do in them: cut, laid over one another, joined. Sorted and disjoint lists, in one pass.

Every span holds its start and not its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to `end`, which is after it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Stretch(Span):
    """A span in which the same people are on call because of the same `source`."""

    people: tuple[str, ...]
    source: str


def without(stretches: Iterable[Stretch], holes: Sequence[Span]) -> Iterator[Stretch]:
    """What the holes leave of the stretches. Both sorted and disjoint; so is the answer."""
    first = 0
    for stretch in stretches:
        while first < len(holes) and holes[first].end <= stretch.start:
            first += 1
        start, at = stretch.start, first
        while at < len(holes) and holes[at].start < stretch.end:
            if start < holes[at].start:
                yield replace(stretch, start=start, end=holes[at].start)
            start = max(start, holes[at].end)
            at += 1
        if start < stretch.end:
            yield replace(stretch, start=start)


def over(upper: Sequence[Stretch], lower: Iterable[Stretch]) -> list[Stretch]:
    """Both in one list; where they overlap `upper` holds."""
    if not upper:
        return list(lower)
    return sorted([*upper, *without(lower, upper)], key=lambda stretch: stretch.start)


def between(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """What no span covers from `start` to `end`. The spans are sorted by start and may overlap."""
    gaps: list[Span] = []
    covered = start
    for span in spans:
        if covered < min(span.start, end):
            gaps.append(Span(covered, min(span.start, end)))
        covered = max(covered, span.end)
    if covered < end:
        gaps.append(Span(covered, end))
    return gaps


def clipped(stretches: Iterable[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """What of the stretches lies from `start` to `end`."""
    found = (replace(stretch, start=max(stretch.start, start), end=min(stretch.end, end)) for stretch in stretches)
    return [stretch for stretch in found if stretch.start < stretch.end]


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same with stretches in one where they touch and differ in nothing but time."""
    found: list[Stretch] = []
    for stretch in stretches:
        last = found[-1] if found else None
        if last and last.end == stretch.start and (last.people, last.source) == (stretch.people, stretch.source):
            found[-1] = replace(last, end=stretch.end)
        else:
            found.append(stretch)
    return found
