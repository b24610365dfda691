"""`tocsin up` as its user meets it: real processes, killed, interrupted, and left by their terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from streams.endpoints import find, kept_port
from tests.waiting import eventually, has_ended


class Up:
    """One `up`, leader of a process group as a shell would start it, with what it has said so far."""

    def __init__(self, plan: str, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.actors", "up", plan, str(data_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def says(self, pattern: str, times: int = 1) -> str:
        """Waits until that many lines match and returns the last one's first group (or all of it)."""

        def found() -> list[re.Match[str]]:
            over = self.process.poll() is not None and not self._reader.is_alive()
            matches = [match for line in self.lines if (match := re.search(pattern, line))]
            assert len(matches) >= times or not over, f"ended without saying {pattern!r}: {self.lines}"
            return matches if len(matches) >= times else []

        match = eventually(found)[-1]
        return match.group(1) if match.re.groups else match.group()

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[[str], Up]]:
    ups: list[Up] = []

    def start(plan: str, data_dir: Path = tmp_path / "data") -> Up:
        ups.append(Up(plan, data_dir))
        return ups[-1]

    yield start
    for one in ups:
        one.process.kill()
        one.end()


def test_children_start_in_order_and_one_ctrl_c_stops_them_in_reverse(up: Callable[[str], Up]) -> None:
    house = up("house")
    house.says("client is ready")
    pid = int(house.says(r"client .*pid (\d+)"))
    assert house.says(r"server (127\.0\.0\.1:\d+)") == find(house.data_dir, "server")

    house.interrupt()

    assert house.end() == 0
    said = "\n".join(house.lines)
    order = ("server is ready", "task   | done", "client is ready", "client | stopped", "server | stopped")
    assert [said.index(words) for words in order] == sorted(said.index(words) for words in order)
    assert "Traceback" not in said
    assert has_ended(pid)
    assert find(house.data_dir, "server") is None


def test_a_killed_child_comes_back_where_it_was(up: Callable[[str], Up]) -> None:
    house = up("house")
    house.says("client is ready")
    address = find(house.data_dir, "server")
    pid = int(house.says(r"client .*pid (\d+)"))

    os.kill(pid, signal.SIGKILL)

    house.says("client was ended by SIGKILL; starting it again")
    assert int(house.says(r"client .*pid (\d+)", times=2)) != pid
    house.says("client is ready", times=2)
    assert find(house.data_dir, "server") == address


def test_nothing_outlives_a_killed_supervisor_and_the_next_one_keeps_the_port(up: Callable[[str], Up]) -> None:
    first = up("house")
    first.says("client is ready")
    address = find(first.data_dir, "server")
    pid = int(first.says(r"client .*pid (\d+)"))

    first.process.kill()

    eventually(lambda: has_ended(pid))
    first.end()
    assert (first.data_dir / "run" / "server.json").exists()
    assert find(first.data_dir, "server") is None, "an endpoint of a dead run is not believed"
    second = up("house")
    second.says("server is ready")
    assert find(second.data_dir, "server") == address


def test_a_second_up_is_told_who_is_there(up: Callable[[str], Up]) -> None:
    first = up("house")
    first.says("server is ready")

    second = up("house")

    assert second.end() == 3
    assert second.lines == [
        f"tocsin | Tocsin is already up on {first.data_dir}: stop it, or set TOCSIN_DATA_DIR to another folder"
    ]
    assert first.process.poll() is None


def test_a_child_that_keeps_dying_is_given_up(up: Callable[[str], Up]) -> None:
    crashing = up("crashing")
    assert crashing.end() == 1
    assert crashing.lines[-1] == (
        "tocsin   | gave up: crashing ended with exit code 7, 4 times in a row: its lines above say why"
    )


def test_a_child_that_no_restart_can_help_is_not_restarted(up: Callable[[str], Up]) -> None:
    refusing = up("refusing")
    assert refusing.end() == 1
    assert refusing.lines == [
        "refusing | the moon is in use: choose another",
        "tocsin   | gave up: refusing cannot start: its line above says why",
    ]


def test_a_child_that_does_not_listen_is_cut_off(up: Callable[[str], Up]) -> None:
    deaf = up("deaf")
    deaf.says("deaf is ready")
    deaf.process.terminate()
    assert deaf.end() == 0
    assert deaf.lines[-1] == "tocsin | deaf did not stop within 0.5 s and was cut off"


def test_a_second_ctrl_c_cuts_everything_off(up: Callable[[str], Up]) -> None:
    patient = up("patient")
    patient.says("deaf is ready")
    patient.interrupt()
    patient.says("stopping")
    patient.interrupt()
    assert patient.end() == 0


def test_two_hang_ups_are_one(up: Callable[[str], Up]) -> None:
    """A shell tells its jobs that the terminal is gone, and when it ends the kernel tells them again."""
    house = up("house")
    house.says("client is ready")
    for _ in range(2):
        house.process.send_signal(signal.SIGHUP)
        house.says("its terminal is gone: stopping")
    assert house.end() == 0
    assert "client | stopped" in house.lines
    assert "server | stopped" in house.lines


class Terminal:
    """A terminal whose first process is `leader`, which is told in its arguments how to start an `up`."""

    def __init__(self, leader: str, data_dir: Path) -> None:
        self._master, slave = pty.openpty()
        self.data_dir = data_dir
        with os.fdopen(slave, "r+b", buffering=0) as line:
            self.leader = subprocess.Popen(
                [sys.executable, "-c", _BECOME_LEADER + leader, sys.executable, "-m", "tests.actors", "up", "house",
                 str(data_dir)],
                stdin=line, stdout=line, stderr=line, start_new_session=True,
            )  # fmt: skip
        self.shown = ""

    def pid(self, name: str) -> int:
        """Of the child `name`, once it says so."""
        return int(self.shows(rf"{name} .*pid (\d+)")[1])

    def shows(self, pattern: str) -> re.Match[str]:
        """Waits until it does."""

        def shown() -> re.Match[str] | None:
            if select.select([self._master], [], [], 0)[0]:
                self.shown += os.read(self._master, 4096).decode()
            return re.search(pattern, self.shown)

        return eventually(shown)

    def close(self) -> None:
        os.close(self._master)


_BECOME_LEADER = """
import fcntl, os, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""
_IS_UP = "os.execv(sys.argv[1], sys.argv[1:])"
_HEAR = "signal.signal(signal.SIGHUP, lambda *_: None); "
_MAKE = _HEAR + "subprocess.run(sys.argv[1:])"
_MAKE_LATE = _HEAR + "print('busy'); signal.pause(); subprocess.run(sys.argv[1:])"
_NOHUP = "signal.signal(signal.SIGHUP, signal.SIG_IGN); " + _IS_UP
_LET_GO = "subprocess.Popen(sys.argv[1:], process_group=0); signal.pause()"


@pytest.mark.parametrize("leader", [_IS_UP, _MAKE], ids=["it leads the session", "its parent does and only waits"])
def test_nothing_outlives_its_terminal(leader: str, tmp_path: Path) -> None:
    terminal = Terminal(leader, tmp_path / "data")
    client = terminal.pid("client")
    up = parent_of(client)

    terminal.close()

    try:
        eventually(lambda: has_ended(client) and has_ended(up))
    finally:
        end(up)
    assert terminal.leader.wait(10) == 0
    assert find(terminal.data_dir, "server") is None


def test_a_terminal_that_is_gone_before_it_could_be_looked_at(tmp_path: Path) -> None:
    terminal = Terminal(_MAKE_LATE, tmp_path / "data")
    terminal.shows("busy")
    terminal.close()
    try:
        assert terminal.leader.wait(10) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(terminal.leader.pid, signal.SIGKILL)
    assert terminal.data_dir.exists()


@pytest.mark.parametrize("leader", [_NOHUP, _LET_GO], ids=["nohup", "in the background, and let go of"])
def test_what_was_meant_to_stay_outlives_its_terminal(leader: str, tmp_path: Path) -> None:
    terminal = Terminal(leader, tmp_path / "data")
    client = terminal.pid("client")
    up = parent_of(client)

    terminal.close()

    try:
        if leader == _LET_GO:
            terminal.leader.wait(10)  # SIGHUP has reached whom it would reach
        for _ in range(4):  # with the pauses between, longer than it takes to look twice
            [client] = eventually(lambda: children_named("client", up))
            os.kill(client, signal.SIGKILL)
            eventually(partial(has_ended, client))
        assert eventually(lambda: children_named("client", up))
    finally:
        end(up)
    eventually(lambda: has_ended(up))
    terminal.leader.wait(10)


def test_a_data_directory_that_cannot_be_used_is_one_line(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = up("house", tmp_path / "file" / "data")
    assert refused.end() == 2
    assert refused.lines == [f"tocsin | {tmp_path}/file/data is not a folder: set TOCSIN_DATA_DIR to one"]


def test_a_port_is_kept_until_somebody_else_has_it(tmp_path: Path) -> None:
    port = kept_port(tmp_path, "web")
    assert kept_port(tmp_path, "web") == port
    assert kept_port(tmp_path, "broker") != port
    with socket.create_server(("127.0.0.1", port)):
        assert kept_port(tmp_path, "web") != port


def test_the_database_survives_the_death_of_everything(up: Callable[[str], Up]) -> None:
    first = up("database")
    first.says("database is ready")
    url = find(first.data_dir, "database")
    assert url is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('paged')")
    keeper = connection_keeper(first.data_dir)

    os.kill(keeper, signal.SIGKILL)
    first.says("database is ready", times=2)
    assert find(first.data_dir, "database") == url

    postmaster, keeper = postmaster_of(first.data_dir), connection_keeper(first.data_dir)
    for pid in (first.process.pid, keeper, postmaster):
        os.kill(pid, signal.SIGKILL)
    first.end()
    second = up("database")
    second.says("database is ready")
    url = find(second.data_dir, "database")
    assert url is not None
    with psycopg.connect(url) as connection:
        assert connection.execute("select word from kept").fetchall() == [("paged",)]
    postmaster = postmaster_of(second.data_dir)
    second.process.kill()
    eventually(lambda: has_ended(postmaster))


def postmaster_of(data_dir: Path) -> int:
    return int((data_dir / "database" / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def connection_keeper(data_dir: Path) -> int:
    """The process that keeps the database: its postmaster's parent."""
    return parent_of(postmaster_of(data_dir))


def parent_of(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout)


def children_named(name: str, parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return [int(pid) for pid, its_parent, *words in rows if int(its_parent) == parent and words[0].endswith(name)]


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
