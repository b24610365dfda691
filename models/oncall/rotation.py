"""The turns of one layer: computed from its start, never stepped through, so that any year is as near as today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial

from models.oncall.sections import Rotation
from models.oncall.spans import Stretch, between, clipped, without
from models.oncall.wall_time import instant_of, wall_of
from models.oncall.weekly import Hours, spans_of


def stretches_of(layer: Rotation, zone: str, start: datetime, end: datetime) -> list[Stretch]:
    """Who the layer puts on call within [start, end): sorted, disjoint."""
    begin = max(start, instant_of(layer.start, zone))
    finish = end if layer.end is None else min(end, instant_of(layer.end, zone))
    if finish <= begin:
        return []
    if len(set(layer.people)) == 1:
        turns = [Stretch(begin, finish, layer.people[0], layer.name)]
    else:
        turns = clipped(_turns(layer, zone, begin, finish), begin, finish)
    if layer.only is None:
        return turns
    hours = partial(_hours_of, layer)
    return list(without(turns, between(spans_of(hours, zone, begin, finish), begin, finish)))


def turn_at(layer: Rotation, zone: str, at: datetime) -> int:
    """The number of the turn that an instant falls into; 0 begins at the layer's start."""
    turn = (wall_of(at, zone) - layer.start) // layer.every
    # Around a change of the clocks the wall shows a time that was passed already, or has leapt over some.
    while _handoff(layer, zone, turn) > at:
        turn -= 1
    while _handoff(layer, zone, turn + 1) <= at:
        turn += 1
    return turn


def _turns(layer: Rotation, zone: str, start: datetime, end: datetime) -> Iterator[Stretch]:
    turn = turn_at(layer, zone, start)
    begin = _handoff(layer, zone, turn)
    while begin < end:
        finish = _handoff(layer, zone, turn + 1)
        if begin < finish:  # a turn that lies wholly in a skipped hour is none
            yield Stretch(begin, finish, layer.people[turn % len(layer.people)], layer.name)
        turn, begin = turn + 1, finish


def _handoff(layer: Rotation, zone: str, turn: int) -> datetime:
    return instant_of(layer.start + turn * layer.every, zone)


def _hours_of(layer: Rotation, day: date) -> Sequence[Hours]:
    return (layer.only or {}).get(day.weekday(), ())
