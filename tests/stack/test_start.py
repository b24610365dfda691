"""A start that cannot succeed ends soon, with a line that says what is wrong and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.endpoints import find
from tests.peers.found import missing
from tests.stack.stack import Stack
from tests.stack.webhooks import URGENT, encoded, new_service, story_policy, webhook
from tests.waiting import eventually, side_by_side

as_root = pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="run as root on Linux to enable")


def ends_with(stack: Stack) -> tuple[int, list[str]]:
    """The exit code of an `up` that ends by itself, and its lines."""
    stack.launch()
    assert stack.up is not None
    code = stack.up.end(within=60)
    return code, stack.up.output().splitlines()


def test_a_policy_with_a_typo(another: Stack) -> None:
    (another.folder / "policy.yaml").write_text(story_policy().replace("reopen_within:", "reopen_whithin:"))
    code, lines = ends_with(another)
    assert code == 2
    [line] = [line for line in lines if "reopen_whithin" in line]
    assert "policy.yaml:" in line
    assert "reopen_within" in line, "it suggests what was meant"
    assert len(lines) == 1


def test_a_policy_that_is_not_there(another: Stack) -> None:
    (another.folder / "policy.yaml").unlink()
    code, lines = ends_with(another)
    assert code == 2
    assert len(lines) == 1
    assert "TOCSIN_POLICY" in lines[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOCSIN_WEB_BIND", "8080"),
        pytest.param("TOCSIN_WEBHOOK_TOKENS", "justatoken", marks=pytest.mark.slow),
        pytest.param("TOCSIN_PAGERDUTY_EVENTS_URL", "events.pagerduty.com", marks=pytest.mark.slow),
        ("TOCSIN_PAGERDUTY_ROUTING_KEY", ""),
        pytest.param("TOCSIN_CA_FILE", "/does/not/exist.pem", marks=pytest.mark.slow),
        pytest.param("TOCSIN_KAFKA", "no-port", marks=pytest.mark.slow),
        ("TOCSIN_DATABASE_URL", "mysql://localhost/tocsin"),
    ],
)
def test_a_setting_that_cannot_be_used(another: Stack, variable: str, value: str) -> None:
    another.extra = {variable: value}
    code, lines = ends_with(another)
    assert code in {1, 2}
    assert any(variable in line for line in lines), lines
    assert not any("ready" in line for line in lines), "found out before anything starts"


def test_without_tokens_no_other_machine_is_let_in(another: Stack) -> None:
    another.extra = {"TOCSIN_WEB_BIND": f"0.0.0.0:{another.port}", "TOCSIN_API_TOKEN": ""}
    code, lines = ends_with(another)
    assert code == 2
    assert len(lines) == 1
    assert "TOCSIN_API_TOKEN" in lines[0]


def test_a_port_in_use(another: Stack) -> None:
    with socket.create_server(("127.0.0.1", another.port)):
        code, lines = ends_with(another)
    assert code == 2
    [line] = lines  # nothing was started
    assert line.startswith(f"tocsin | TOCSIN_WEB_BIND=127.0.0.1:{another.port}: the port is in use; end what")


def test_a_port_that_the_web_of_a_killed_run_still_holds(another: Stack) -> None:
    (another.data_dir / "run").mkdir(parents=True)
    (another.data_dir / "run" / "web.json").write_text('{"address": "http://127.0.0.1:1", "run": "killed"}')
    with socket.create_server(("127.0.0.1", another.port)):
        another.launch()
        eventually((another.data_dir / "up.lock").exists)
        assert another.up is not None
        with pytest.raises(subprocess.TimeoutExpired):
            another.up.end(within=1)
    another.wait_until_ready()


@pytest.mark.parametrize("running", ["embedded"], indirect=True)
def test_a_second_up_on_one_data_directory_and_commands_beside_it(stack: Stack) -> None:
    second = stack.command("streams.cli", "up", log="second-up.log")
    assert second.end() == 3
    assert f"already up on {stack.data_dir}" in second.output()
    assert len(second.output().splitlines()) == 1
    missing = "/does/not/exist.pem"
    worker = stack.command("streams.cli", "worker", log="refused-worker.log", environ={"TOCSIN_CA_FILE": missing})
    assert worker.end() == 78
    assert [missing in line for line in worker.output().splitlines()] == [True]
    assert stack.is_ready()


@pytest.mark.parametrize("command", ["web", "worker", "migrate"])
def test_a_process_by_itself_without_broker_or_database(another: Stack, command: str) -> None:
    alone = another.command("streams.cli", command, log="alone.log")
    assert alone.end() == 78
    [line] = alone.output().splitlines()
    assert "start `tocsin up`, or set TOCSIN_" in line


@pytest.mark.slow
def test_a_broker_or_database_that_does_not_answer(others: Callable[[], Stack]) -> None:
    """`up` starts the other one, tries for a while, and gives up with the variable's name."""

    def tries_and_gives_up(stack: Stack) -> None:
        [variable] = stack.extra
        code, lines = ends_with(stack)
        assert code == 1
        assert "gave up: migrate ended" in lines[-1]
        said = [line for line in lines if line.startswith("migrate") and "INFO" not in line]
        assert said
        assert all(variable in line and "127.0.0.1:1" in line for line in said), said

    without_broker, without_database = others(), others()
    without_broker.extra = {"TOCSIN_KAFKA": "127.0.0.1:1"}
    without_database.extra = {"TOCSIN_DATABASE_URL": "postgresql://tocsin@127.0.0.1:1/tocsin"}
    side_by_side(tries_and_gives_up, (without_broker, without_database))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=192m,mode=700", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        missing("disk", "run as root where a small file system may be mounted")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_loses_nothing_that_was_accepted(small_disk: Path, another: Stack) -> None:
    another.extra = {"TOCSIN_DATA_DIR": str(small_disk / "data")}
    another.launch()
    eventually(lambda: another.is_ready() and find(small_disk / "data", "worker") is not None, within=60)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass

    services = [new_service("full") for _ in range(5)]
    accepted = []
    for service in services:
        body = webhook(service, labels=URGENT, commonAnnotations={"filler": "x" * 200_000})
        answer = another.send(encoded(body))
        assert answer.status_code in {202, 503}, answer.text
        accepted += [service] if answer.status_code == 202 else []
    assert len(accepted) < len(services), "a full disk cannot hold a megabyte"

    filler.unlink()
    assert another.up is not None
    if another.up.leash.poll() is not None:
        another.launch()
    late = new_service("late")
    another.deliver_in_the_end(webhook(late, labels=URGENT))
    for service in [*accepted, late]:
        incident = another.incident_of(service)
        eventually(partial(another.providers.paged, incident["id"]))
    assert another.providers.doubled() == []


@as_root
@pytest.mark.slow
def test_checkout_and_data_only_root_can_enter(tmp_path: Path, another: Stack) -> None:
    checkout = tmp_path / "only-root"
    checkout.mkdir(mode=0o700)
    root = Path(__file__).parents[2]
    for package in ("streams", "agents", "models", "notifiers", "templates"):
        shutil.copytree(root / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    another.extra = {
        "PYTHONPATH": str(checkout),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TOCSIN_DATA_DIR": str(checkout / ".tocsin"),
    }
    another.launch()
    eventually(lambda: another.is_ready() and find(checkout / ".tocsin", "worker") is not None, within=60)
    service = new_service("root")
    another.deliver(webhook(service, labels=URGENT))
    incident = another.incident_of(service)
    eventually(lambda: another.providers.paged(incident["id"]))
