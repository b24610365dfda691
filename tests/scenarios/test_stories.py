"""The chosen stories on the stepped clock, where an expectation holds to the tenth of a second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from models.deliveries import Provider
from streams.web.api_models import IncidentView
from tests.scenarios.stories import STORIES, policy, service_of
from tests.scenarios.telling import Tocsin, Told, gaps, play
from tests.world import T0, World


@pytest.mark.parametrize("story", STORIES, ids=service_of)
def test_story(story: Callable[[Tocsin], None]) -> None:
    play(story, Stepped(service_of(story)))


class Stepped(Tocsin):
    """A world with one service."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._world = World(policy(T0))

    def alert(self, told: Told) -> None:
        self._world.advance(milliseconds=1)  # no two things happen at one instant
        self._world.alert(
            told.name,
            status=told.status,
            group=told.name,
            pods=told.pods,
            labels={"service": self._service, "severity": told.severity},
            annotations={"error_rate": told.error_rate} if told.error_rate else None,
            group_status=told.group_status,
            truncated=told.truncated,
        )

    def acknowledge(self, by: str) -> None:
        self._world.acknowledge(by)

    def acknowledge_in_pagerduty(self, by: str) -> None:
        self._world.acknowledge(by)  # what the receiver of PagerDuty's webhooks makes of it

    def escalate(self, level: str, by: str) -> None:
        self._world.escalate(level, by)

    def resolve(self, by: str) -> None:
        self._world.resolve(by)

    def passes(self, time: timedelta) -> None:
        self._world.advance(seconds=time.total_seconds())

    def until(self, condition: Callable[[], bool], within: timedelta) -> bool:
        end = self._world.now + within
        while not (is_so := condition()) and self._world.now < end:
            self._world.advance(seconds=0.1)
        return is_so

    def seen(self, fact: str) -> Any:
        world = self._world
        match fact:
            case "incidents":
                return len(world.store.incidents_by_id)
            case "pages":
                return world.pages
            case "waited":
                paged = [entry.at for _, entry in world.store.log if entry.event.kind == "level_paged"]
                return gaps([world.incident.started_at, *paged])
            case "told":
                return {one.provider for one in world.sent if one.incident_id == world.incident.id} - {
                    Provider.STATUSPAGE
                }
            case "log":
                return world.log
        return IncidentView.of(world.incident).model_dump(mode="json")[fact]

    def rest(self) -> None:
        """Nothing ever is, once the clock has been stepped."""
