"""A real Alertmanager that delivers to a webhook: with its own data, fed by its v2 API, stopped and started anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.peers.found import alertmanager_binary
from tests.peers.process import Process, free_ports

# One group per alert name, told at once; the shortest pauses that Alertmanager takes.
ROUTE: Mapping[str, object] = {
    "group_by": ["alertname"],
    "group_wait": "0s",
    "group_interval": "1s",
    "repeat_interval": "1h",
}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where it delivers. `webhook` adds to or overrides what a `webhook_config` says, `route` the same of the route."""

    url: str
    token: str | None = None
    route: Mapping[str, object] = field(default_factory=dict)
    webhook: Mapping[str, object] = field(default_factory=dict)

    def config(self) -> dict[str, object]:
        bearer = {"authorization": {"type": "Bearer", "credentials": self.token}} if self.token else {}
        http = {"follow_redirects": False, **bearer}
        webhook = {"url": self.url, "send_resolved": True, "http_config": http, **self.webhook}
        return {
            "route": {**ROUTE, **self.route, "receiver": "tocsin"},
            "receivers": [{"name": "tocsin", "webhook_configs": [webhook]}],
        }


class Alertmanager:
    """One Alertmanager; its data outlives `stop` and `start`, as a machine's would."""

    def __init__(self, binary: str, directory: Path, receiver: Receiver) -> None:
        self._binary = binary
        self._directory = directory
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.configure(receiver)

    def configure(self, receiver: Receiver) -> None:
        """Takes effect at the next start. JSON is YAML."""
        (self._directory / "alertmanager.yml").write_text(json.dumps(receiver.config(), indent=2))

    def start(self) -> None:
        command = [
            self._binary,
            f"--config.file={self._directory / 'alertmanager.yml'}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ]
        self._process = Process(command, self._directory / "alertmanager.log")
        self._process.wait_until(self.ready, within=30)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def post(self, *alerts: Mapping[str, object]) -> None:
        """Posts alerts as Prometheus does: `{"labels": {...}, "annotations": {...}, "startsAt": ...}`."""
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts, trust_env=False).raise_for_status()

    def fire(self, **labels: str) -> None:
        self.post({"labels": labels})

    def resolve(self, **labels: str) -> None:
        """Any end in the past resolves; Alertmanager makes it the moment that it was told."""
        self.post({"labels": labels, "startsAt": "2000-01-01T00:00:00Z", "endsAt": "2000-01-01T00:00:01Z"})


StartAlertmanager = Callable[[Receiver], Alertmanager]


@pytest.fixture
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartAlertmanager]:
    """A factory: `alertmanager(Receiver(url, token))` is one that runs until the test ends."""
    binary = alertmanager_binary()
    started: list[Alertmanager] = []

    def start(receiver: Receiver) -> Alertmanager:
        peer = Alertmanager(binary, tmp_path_factory.mktemp("alertmanager"), receiver)
        started.append(peer)
        peer.start()
        return peer

    yield start
    for peer in started:
        peer.stop()
