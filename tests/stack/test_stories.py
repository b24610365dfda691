"""The chosen stories on the real stack, in real time and all at once, each with a service and incidents of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.scenarios.stories import STORIES, policy, service_of
from tests.scenarios.telling import Tocsin, Told, gaps, play
from tests.stack.conftest import assert_calm
from tests.stack.providers import ROUTING_KEYS, providers
from tests.stack.stack import Stack
from tests.stack.webhooks import acknowledged_in_pagerduty, encoded, webhook

GRACE = timedelta(seconds=20)
"""What is at once in a story takes as long as a machine that is shared."""
LEVELS = {key: level for level, key in ROUTING_KEYS.items()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """All of the stories, being told."""
    with providers() as peer:
        stack = Stack(tmp_path_factory.mktemp("stories"), peer)
        (stack.folder / "policy.yaml").write_text(policy(datetime.now(UTC)))
        try:
            stack.start()
            with ThreadPoolExecutor(len(STORIES)) as pool:
                yield {service_of(story): pool.submit(play, story, Real(stack, service_of(story))) for story in STORIES}
            assert peer.doubled() == []
        finally:
            stack.stop()
    assert_calm(stack.output())


@pytest.mark.slow
@pytest.mark.parametrize("story", [service_of(story) for story in STORIES])
def test_story(told: dict[str, Future[None]], story: str) -> None:
    told[story].result()


class Real(Tocsin):
    """One service of a running stack."""

    def __init__(self, stack: Stack, service: str) -> None:
        self._stack = stack
        self._service = service
        self._began = datetime.now(UTC)

    def alert(self, told: Told) -> None:
        body = webhook(self._service, told.status, labels={"alertname": told.name, "severity": told.severity})
        [alert] = body["alerts"]
        annotations = {"error_rate": told.error_rate} if told.error_rate else {}
        body |= {
            "status": told.group_status,
            "groupKey": f"{self._service}/{told.name}",
            "truncatedAlerts": told.truncated,
            "alerts": [
                {
                    **alert,
                    "labels": {**alert["labels"], "pod": pod},
                    "annotations": {**alert["annotations"], **annotations},
                    "startsAt": self._began.isoformat(),
                    "fingerprint": f"{told.name}/{pod}",
                }
                for pod in told.pods
            ],
        }
        assert self._stack.send(encoded(body)).status_code == 202

    def acknowledge(self, by: str) -> None:
        self._command("acknowledge", by=by)

    def acknowledge_in_pagerduty(self, by: str) -> None:
        page = f"{self._incident['id']}/1"
        assert self._stack.send_pagerduty(acknowledged_in_pagerduty(page, by), webhook_id=page) == 200

    def escalate(self, level: str, by: str) -> None:
        self._command("escalate", by=by, level=level)

    def resolve(self, by: str) -> None:
        self._command("resolve", by=by, note="fixed")

    def passes(self, span: timedelta) -> None:
        time.sleep(span.total_seconds())

    def until(self, condition: Callable[[], bool], within: timedelta) -> bool:
        deadline = time.monotonic() + (within + GRACE).total_seconds()
        while not (is_so := condition()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return is_so

    def seen(self, fact: str) -> Any:
        if not (incidents := self._stack.incidents_of(self._service)):
            return None
        match fact:
            case "incidents":
                return len(incidents)
            case "pages":
                woken = [
                    one for incident in reversed(incidents) for one in self._stack.providers.events(incident["id"])
                ]
                return [LEVELS[key] for key, _ in woken]
            case "waited":
                paged = [entry["at"] for entry in self._timeline if entry["kind"] == "level_paged"]
                return gaps([datetime.fromisoformat(at) for at in (incidents[0]["started_at"], *paged)])
            case "told":
                rows = self._deliveries
                return {one["provider"] for one in rows if one["provider"] != "statuspage"} if _is_sent(rows) else None
            case "log":
                return [entry["kind"] for entry in self._timeline]
        return incidents[0][fact]

    def rest(self) -> None:
        assert self.until(lambda: _is_sent(self._deliveries), timedelta(0))

    def _command(self, name: str, **words: str) -> None:
        assert self.until(lambda: bool(self._stack.incidents_of(self._service)), timedelta(0))
        self._stack.tell(f"{self._path}/{name}", **words)

    @property
    def _incident(self) -> dict[str, Any]:
        return self._stack.incidents_of(self._service)[0]

    @property
    def _path(self) -> str:
        return f"/api/v1/incidents/{self._incident['number']}"

    @property
    def _timeline(self) -> list[dict[str, Any]]:
        return list(self._stack.get(f"{self._path}/timeline"))

    @property
    def _deliveries(self) -> list[dict[str, Any]]:
        return list(self._stack.get(f"{self._path}/deliveries"))


def _is_sent(deliveries: list[dict[str, Any]]) -> bool:
    return all(one["ended_at"] for one in deliveries)
