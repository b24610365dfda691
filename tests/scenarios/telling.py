"""The language of stories that are told once and played twice (stories.py): on the stepped clock by test_stories.py, on
the real stack in real time by tests/stack/test_stories.py. Knows neither.
"""

from __future__ import annotations

import itertools
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Told:
    """What Alertmanager tells of one group: its alerts, one per pod, all of them firing or all resolved."""

    name: str
    severity: str
    pods: Sequence[str]
    status: str = "firing"
    group_status: str = "firing"
    error_rate: str | None = None
    truncated: int = 0
    """How many more there are, which it did not list."""


class Tocsin(ABC):
    """A Tocsin as the people of one service meet it: what they do to it, and what they see of it."""

    last: Mapping[str, Any]
    """What was expected last; it must hold for good."""

    def fires(
        self,
        name: str = "Errors",
        *,
        severity: str = "page",
        pods: Sequence[str] = ("a",),
        error_rate: str | None = None,
        truncated: int = 0,
    ) -> None:
        self.alert(Told(name=name, severity=severity, pods=pods, error_rate=error_rate, truncated=truncated))

    def ends(self, *, pods: Sequence[str] = ("a",), others_fire: bool = False, truncated: int = 0) -> None:
        group_status = "firing" if others_fire else "resolved"
        self.alert(
            Told(
                name="Errors",
                severity="page",
                pods=pods,
                status="resolved",
                group_status=group_status,
                truncated=truncated,
            )
        )

    def expect(self, within: timedelta = timedelta(0), **facts: Any) -> None:
        """That these facts are seen within that time: at once, where none is named."""
        self.last, seen = facts, {}

        def are_seen() -> bool:
            seen.update({fact: self.seen(fact) for fact in facts})
            return seen == facts

        assert self.until(are_seen, within), f"seen: {seen}; expected: {facts}"

    @abstractmethod
    def alert(self, told: Told) -> None: ...

    @abstractmethod
    def acknowledge(self, by: str) -> None: ...

    @abstractmethod
    def acknowledge_in_pagerduty(self, by: str) -> None: ...

    @abstractmethod
    def escalate(self, level: str, by: str) -> None: ...

    @abstractmethod
    def resolve(self, by: str) -> None: ...

    @abstractmethod
    def passes(self, time: timedelta) -> None:
        """Time does."""

    @abstractmethod
    def until(self, condition: Callable[[], bool], within: timedelta) -> bool:
        """Lets time pass until it is so; False when it is not within that time, as a story counts it."""

    @abstractmethod
    def seen(self, fact: str) -> Any:
        """A field of the newest incident, as the API shows it, or one of these:

        - `incidents`: how many there are
        - `pages`: the levels that PagerDuty woke, in order
        - `waited`: the time from the alert's beginning to the first page, and from each page to the next
        - `told`: the providers that were told, once nothing is under way
        - `log`: the kinds of the incident's events
        """

    @abstractmethod
    def rest(self) -> None:
        """Returns when nothing is under way any more."""


def play(story: Callable[[Tocsin], None], tocsin: Tocsin) -> None:
    """Tells the story, and that its end stays as it is."""
    story(tocsin)
    tocsin.rest()
    tocsin.expect(**tocsin.last)


class Including(frozenset[str]):
    """Equal to whatever has all of these in it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and self.issubset(other)

    __hash__ = frozenset.__hash__


class AtLeast(tuple[timedelta, ...]):
    """Equal to as many times, none of them shorter."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(self) == len(other) and all(map(operator.le, self, other))

    __hash__ = tuple.__hash__


def gaps(instants: Sequence[datetime]) -> list[timedelta]:
    return [later - earlier for earlier, later in itertools.pairwise(instants)]
