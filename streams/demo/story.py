"""Plays recorded webhooks through a real Tocsin with shortened clocks, and tells what happens as it happens.

Starts `tocsin up` in a folder of its own, acts through the same HTTP as everybody, and believes only what it is
answered: a step that does not happen in time ends the demo with a non-zero exit code and says which it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx

from models.policy import Policy
from models.severity import Priority, Severity, describe
from streams.clock import utc_now
from streams.demo.policy import sped_up
from streams.endpoints import find
from streams.settings import Settings, SettingsError, policy_named, read_settings

START_WITHIN: Final = 60.0
STEP_WITHIN: Final = 20.0
"""Seconds. A clock of five minutes is four seconds long here, one of fifteen twelve."""
LOOK_EVERY: Final = 0.05


class StepFailed(Exception):
    """A step of the story did not happen; the message says which."""


def run(profile: str) -> int:
    """Tells the whole story under a policy that comes with Tocsin, or one of a file; the exit code."""
    try:
        settings, policy = read_settings(), policy_named(profile)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=settings.data_dir))
    failed = False
    try:
        (folder / "policy.yaml").write_text(sped_up(policy.text), encoding="utf-8")
        with _running(folder) as url:
            _Story(url, settings, policy.policy).tell()
    except (StepFailed, httpx.HTTPError) as error:
        failed = True
        sys.stdout.write(f"\nThe demo failed: {error}\nWhat the processes said is in {folder / 'up.log'}.\n")
    except KeyboardInterrupt:
        sys.stdout.write("\nStopped.\n")
        return 130
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[str]:
    """A Tocsin of its own in `folder`, until the block ends; its web address."""
    environ = {
        **os.environ,
        "TOCSIN_DATA_DIR": str(folder),
        "TOCSIN_POLICY": str(folder / "policy.yaml"),
        "TOCSIN_WEB_BIND": "127.0.0.1:0",
        "PYTHONUNBUFFERED": "1",
    }
    for name in ("TOCSIN_KAFKA", "TOCSIN_DATABASE_URL", "TOCSIN_PUBLIC_URL"):
        environ.pop(name, None)
    _say("start", "an embedded Kafka broker, PostgreSQL, the web process and a worker, all on free ports")
    with (folder / "up.log").open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "up"], env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _address(folder, up)
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait()
    if code:
        raise StepFailed(f"`tocsin up` ended with exit code {code}")
    _say("stop", "everything has stopped cleanly")


def _address(folder: Path, up: subprocess.Popen[bytes]) -> str:
    def found() -> str | None:
        if up.poll() is not None:
            raise StepFailed(f"`tocsin up` ended with exit code {up.returncode} before it was ready")
        web = find(folder, "web")
        return web if web and find(folder, "worker") is not None else None

    return str(_until(found, "web and worker are up", START_WITHIN))


def _until(look: Callable[[], Any], what: str, within: float | None = None) -> Any:
    """What `look` finds, once it finds something: within STEP_WITHIN if not told otherwise. Raises StepFailed."""
    within = STEP_WITHIN if within is None else within
    end = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > end:
            raise StepFailed(f"within {within:.0f} s it did not happen that {what}")
        time.sleep(LOOK_EVERY)
    return found


def _say(who: str, what: str) -> None:
    sys.stdout.write(f"{who:>13}  {what}\n")
    sys.stdout.flush()


@dataclass
class _Story:
    url: str
    settings: Settings
    policy: Policy
    number: str = ""
    client: httpx.Client = field(init=False)
    began: float = field(init=False)
    started_at: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        token = self.settings.api_token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=10, trust_env=False)
        self.began = time.monotonic()

    def tell(self) -> None:
        """One incident, from its first alert to its postmortem."""
        self._providers()
        self._webhook("firing")
        self._opened()
        first, second = (self.policy.escalation.levels * 2)[:2]
        self._paged(first.name)
        clock = self.policy.acknowledgement_clock(Severity.SEV1, Priority.P0)
        waited = describe(clock) if clock else "a while"
        _say("…", f"nobody acknowledges: the demo waits seconds for that, the policy {waited}")
        self._paged(second.name)
        self._acknowledged()
        self._published("investigating")
        self._updated()
        self._webhook("resolved")
        self._resolved()
        self._postmortem()
        _say("done", f"the whole incident took {time.monotonic() - self.began:.0f} s")

    def _providers(self) -> None:
        health = self._get("/health/ready")
        for provider in health["recording"]:
            _say("recorded", f"{provider} is recorded, not called: no credentials are set")

    def _webhook(self, name: str) -> None:
        body = self._recorded(name)
        tokens = self.settings.webhook_tokens
        token = next(iter(tokens.values()), None)
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        answer = self.client.post("/webhooks/alertmanager", content=body, headers=headers)
        if not answer.is_success:
            raise StepFailed(f"the webhook was refused: {answer.status_code} {answer.text}")
        _say("Alertmanager", f"webhook accepted ({answer.status_code}): two alerts of checkout are {name}")

    def _recorded(self, name: str) -> bytes:
        """The recorded webhook, moved from the night it was recorded in to now."""
        webhook = json.loads((resources.files("streams.demo") / "webhooks" / f"{name}.json").read_bytes())
        for alert in webhook["alerts"]:
            alert["startsAt"] = self.started_at.isoformat()
            alert["endsAt"] = utc_now().isoformat() if name == "resolved" else alert["endsAt"]
        return json.dumps(webhook).encode()

    def _opened(self) -> None:
        incident = _until(
            lambda: next(iter(self._get("/api/v1/incidents")["incidents"]), None), "an incident is opened"
        )
        self.number = incident["number"]
        _say("triage", f"{incident['severity']}/{incident['priority']}: {'; '.join(incident['why'])}")
        _say("lifecycle", f"incident {self.number} opened: {incident['title']}")
        self._require(incident["severity"] == "SEV1" and incident["priority"] == "P0", "the incident is SEV1/P0")

    def _paged(self, level: str) -> None:
        def look() -> Any:
            deliveries = self._get(f"/api/v1/incidents/{self.number}/deliveries")
            pages = (one for one in deliveries if one["kind"] == "page" and one["level"] == level)
            return next((page for page in pages if page["status"] == "delivered"), None)

        page = _until(look, f"{level} is paged")
        _say("PagerDuty", f"{level} is paged — {page['detail']}")

    def _acknowledged(self) -> None:
        answer = self._post(f"/api/v1/incidents/{self.number}/acknowledge", by="sam")
        self._require(answer["incident"]["status"] == "acknowledged", "the acknowledgement is taken")
        _say("sam", "acknowledges: the escalation stops, nobody else is paged")

    def _published(self, stage: str) -> None:
        def look() -> bool:
            incidents = self._get("/api/v2/incidents.json")["incidents"]
            return bool(incidents) and incidents[0]["status"] == stage

        _until(look, f"the status page says {stage}")
        _say("status page", f"{stage} — {self.url}/status")

    def _updated(self) -> None:
        message = "A bad deploy of the payment client is the cause; we are rolling it back."
        self._post(f"/api/v1/incidents/{self.number}/updates", by="sam", stage="identified", message=message)
        _say("sam", f"posts an update: {message}")
        self._published("identified")

    def _resolved(self) -> None:
        incident = _until(
            lambda: (found := self._get(f"/api/v1/incidents/{self.number}"))["status"] == "resolved" and found,
            "the incident resolves",
        )
        _say("lifecycle", f"{self.number} resolved by {incident['resolved_by']}: every alert has resolved")
        self._published("resolved")

    def _postmortem(self) -> None:
        owed = _until(lambda: self._get("/api/v1/postmortems"), "a postmortem is owed")[0]
        self._require(owed["number"] == self.number, "the postmortem belongs to the incident")
        due_at = datetime.fromisoformat(owed["due_at"])
        _say("review", f"postmortem deadline set: {owed['owner']} owes it by {due_at:%Y-%m-%d %H:%M} UTC")
        events = self._get(f"/api/v1/incidents/{self.number}/timeline")
        _say("timeline", f"{len(events)} events: {' → '.join(event['kind'] for event in events)}")

    def _get(self, path: str) -> Any:
        answer = self.client.get(path)
        if not answer.is_success:
            raise StepFailed(f"GET {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _post(self, path: str, **body: str) -> Any:
        answer = self.client.post(path, json=body)
        if not answer.is_success:
            raise StepFailed(f"POST {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _require(self, holds: bool, what: str) -> None:  # noqa: FBT001 (a plain condition)
        if not holds:
            raise StepFailed(f"it does not hold that {what}")
