"""A whole Tocsin of real processes in a folder of its own: `tocsin up`, or single ones beside it.

Everything hangs on a leash (tests/peers/leash.py), so that nothing outlives the test runner, however that ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from streams.endpoints import find
from tests.peers.process import LEASH, free_ports
from tests.stack.providers import Providers
from tests.stack.webhooks import encoded, story_policy
from tests.waiting import eventually, has_ended

API_TOKEN = "api-token"
SENDER_TOKEN = "prod-token"
PAGERDUTY_SECRET = "webhook-secret"
READY_WITHIN = 60.0


@dataclass
class Command:
    """One command of Tocsin on its leash, its words in a file."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    leash: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("ab") as output:
            self.leash = subprocess.Popen(
                [sys.executable, str(LEASH), sys.executable, "-m", *self.argv],
                env=self.environ,
                cwd=self.log.parent,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return eventually(lambda: next(iter(children(self.leash.pid, processes())), None))

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, within: float = 30.0) -> int:
        """Waits for it to end by itself; its exit code."""
        return self.leash.wait(within)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL after ten seconds; its exit code."""
        assert self.leash.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.leash.stdin.close()
        return self.leash.wait(20)


@dataclass
class Stack:
    """`tocsin up` in `folder`. `extra` are variables beside those that every stack has."""

    folder: Path
    providers: Providers
    extra: Mapping[str, str] = field(default_factory=dict)
    up: Command | None = None
    commands: list[Command] = field(default_factory=list)
    client: httpx.Client = field(init=False)
    url: str = field(init=False)
    kafka: str | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "policy.yaml").write_text(story_policy())
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=15, trust_env=False)

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def environ(self) -> dict[str, str]:
        """What its processes are told: nothing of this machine's own Tocsin."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "TOCSIN_DATA_DIR": str(self.data_dir),
            "TOCSIN_WEB_BIND": f"127.0.0.1:{self.port}",
            "TOCSIN_POLICY": str(self.folder / "policy.yaml"),
            "TOCSIN_API_TOKEN": API_TOKEN,
            "TOCSIN_WEBHOOK_TOKENS": f"prod:{SENDER_TOKEN}",
            "TOCSIN_PAGERDUTY_WEBHOOK_SECRET": PAGERDUTY_SECRET,
            **self.providers.settings(),
            **({"TOCSIN_KAFKA": self.kafka} if self.kafka else {}),
            **self.extra,
        }

    # --- processes

    def start(self) -> None:
        """Returns once webhooks are accepted and a worker works."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts `tocsin up` and does not wait."""
        self.up = self.command("streams.cli", "up", log="up.log")

    def command(self, *argv: str, log: str, environ: Mapping[str, str] | None = None) -> Command:
        """Starts a command in the environment of the stack, changed by `environ`; it ends with the stack."""
        command = Command(argv, {**self.environ(), **(environ or {})}, self.folder / log)
        self.commands.append(command)
        return command

    def wait_until_ready(self, within: float = READY_WITHIN) -> None:
        def ready() -> bool:
            assert self.up is not None
            assert self.up.leash.poll() is None, f"`tocsin up` ended:\n{self.output()[-3000:]}"
            return self.is_ready() and find(self.data_dir, "worker") is not None

        try:
            eventually(ready, within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()[-3000:]}") from None

    def is_ready(self) -> bool:
        """Whether webhooks are accepted and questions answered."""
        try:
            return self.client.get("/health/ready", timeout=5).is_success
        except httpx.TransportError:
            return False

    def pid(self, name: str) -> int:
        """Of a process that `up` keeps."""
        assert self.up is not None
        table = processes()
        return next(pid for pid in children(self.up.pid, table) if f"streams.serve {name}" in table[pid][1])

    def kill(self, *names: str) -> None:
        """kill -9 of processes of `up` and of everything under them, as if at once."""
        kill_trees([self.pid(name) for name in names])

    def kill_supervisor(self) -> None:
        """kill -9 of `up` alone: its children are on their own."""
        assert self.up is not None
        os.kill(self.up.pid, signal.SIGKILL)
        self.up.end()

    def kill_everything(self) -> None:
        """kill -9 of `up` and all that it started, as when the machine loses power."""
        assert self.up is not None
        kill_trees([self.up.pid])
        self.up.end()

    def stop(self) -> None:
        """`up` first: what it needs must not go away under it."""
        for command in sorted(self.commands, key=lambda command: command is not self.up):
            command.stop()
        self.client.close()

    def output(self) -> str:
        """What all its processes have said so far."""
        return "".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log")))

    # --- what is sent to it and asked of it

    def send(self, body: bytes, token: str = SENDER_TOKEN) -> httpx.Response:
        """One POST to the receiver."""
        return self.client.post("/webhooks/alertmanager", content=body, headers={"Authorization": f"Bearer {token}"})

    def send_pagerduty(self, body: bytes, secret: str = PAGERDUTY_SECRET, webhook_id: str = "1") -> int:
        """One POST as PagerDuty signs it; the status."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-PagerDuty-Signature": f"v1={signature}", "X-Webhook-Id": webhook_id}
        return self.client.post("/webhooks/pagerduty", content=body, headers=headers).status_code

    def deliver(self, body: dict[str, Any]) -> str:
        """A webhook that is accepted; its id."""
        answer = self.send(encoded(body))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["webhook_id"])

    def deliver_in_the_end(self, body: dict[str, Any], within: float = 40.0) -> None:
        """As Alertmanager does: again and again while the answer is none or a 5xx."""

        def accepted() -> bool:
            try:
                answer = self.send(encoded(body))
            except httpx.TransportError:
                return False
            assert answer.status_code in {202, 503}, answer.text
            return answer.status_code == 202

        eventually(accepted, within)

    def get(self, path: str, **query: Any) -> Any:
        """What is answered, once it is: 503 and a connection that ends mean `again`, as to every client."""

        def answered() -> httpx.Response | None:
            try:
                answer = self.client.get(path, params=query)
            except httpx.TransportError:
                return None
            return None if answer.status_code == 503 else answer

        answer = eventually(answered, within=20)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def tell(self, path: str, **body: Any) -> Any:
        """A command that is handled at once."""
        answer = self.client.post(path, json=body)
        assert answer.status_code in {200, 201}, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def incidents_of(self, service: str) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/incidents", service=service)["incidents"])

    def incident_of(self, service: str, within: float = 30.0) -> dict[str, Any]:
        """The one incident of a service, once it is open."""
        [incident] = eventually(lambda: self.incidents_of(service), within)
        return incident

    def all_incidents(self, prefix: str = "") -> list[dict[str, Any]]:
        """Those of services with that prefix, newest first."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.get("/api/v1/incidents", limit=200, **after)
            found += [one for one in page["incidents"] if one["service"].startswith(prefix)]
            if page["next"] is None:
                return found
            after = {"after": page["next"]}

    def incident(self, number: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/incidents/{number}"))

    def timeline(self, number: str) -> list[str]:
        """The kinds of an incident's events, in order."""
        return [event["kind"] for event in self.get(f"/api/v1/incidents/{number}/timeline")]


Table = Mapping[int, tuple[int, str]]
"""Every process of the machine: its parent and its command."""


def processes() -> Table:
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return {int(row[0]): (int(row[1]), row[2] if len(row) > 2 else "") for row in rows}


def children(parent: int, table: Table) -> list[int]:
    return [pid for pid, (its_parent, _) in table.items() if its_parent == parent]


def descendants(root: int, table: Table) -> list[int]:
    found = children(root, table)
    return found + [pid for child in found for pid in descendants(child, table)]


def kill_trees(roots: Sequence[int]) -> None:
    """kill -9 of these and all that they have started; returns once they are gone."""
    table = processes()
    doomed = [pid for root in roots for pid in (root, *descendants(root, table))]
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(has_ended(pid) for pid in doomed))
