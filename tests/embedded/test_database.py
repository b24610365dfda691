"""The embedded PostgreSQL as a supervisor meets it: crashes, leftovers, refusals, and root."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from streams.embedded.cluster import cluster_in
from streams.embedded.database import serve_database
from streams.embedded.postgres import Installation, installation_for
from streams.embedded.postgres_log import DatabaseDied
from streams.embedded.privileges import Dropped, Renamed, identity_for
from streams.embedded.running import opened_lock
from streams.endpoints import kept_port
from streams.places import Unusable
from tests.waiting import eventually

HOST = "127.0.0.1"
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="run as root on Linux to enable")


class Served:
    """A running `serve_database`."""

    def __init__(self, url: str, task: asyncio.Task[None], data_dir: Path) -> None:
        self.url, self.task = url, task
        self.files = data_dir / "database" / "cluster"

    def run(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def postmaster(self) -> int:
        return int((self.files / "postmaster.pid").read_text().splitlines()[0])


@contextlib.asynccontextmanager
async def serving(data_dir: Path, port: int | None = None) -> AsyncIterator[Served]:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    port = port or kept_port(data_dir, "database")
    task = asyncio.create_task(serve_database(data_dir, HOST, port, url.set_result, stop))
    await asyncio.wait((task, url), timeout=30, return_when=asyncio.FIRST_COMPLETED)
    if not url.done():
        await asyncio.wait_for(task, 1)  # raises what it refused
    served = Served(url.result(), task, data_dir)
    try:
        yield served
    finally:
        stop.set()
        if not task.done():
            await asyncio.wait_for(task, 30)


async def refusal(data_dir: Path, port: int | None = None) -> str:
    with pytest.raises(Unusable) as refused:
        async with serving(data_dir, port):
            pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "with space").mkdir()
    return tmp_path / "with space" / "data"


@pytest.fixture(scope="session")
def installation() -> Installation:
    return installation_for(None, Path("/"))


async def test_what_was_committed_survives_a_clean_stop_and_a_kill(data_dir: Path) -> None:
    async with serving(data_dir) as served:
        served.run("create table kept (word text)")
        served.run("insert into kept values ('stopped')")
        assert served.run("show fsync") == served.run("show synchronous_commit") == [("on",)]
        assert served.run("show wal_segment_size") + served.run("show min_wal_size") == [("1MB",), ("80MB",)]
        assert served.run("select current_setting('server_encoding'), datcollate from pg_database limit 1") == [
            ("UTF8", "C")
        ]
    assert "database system is shut down" in (data_dir / "database" / "postgres.log").read_text()

    async with serving(data_dir) as served:
        served.run("insert into kept values ('killed')")
        os.kill(served.postmaster, signal.SIGKILL)
        with pytest.raises(DatabaseDied, match="SIGKILL"):
            await asyncio.wait_for(served.task, 10)

    async with serving(data_dir) as served:
        assert served.run("select word from kept order by word") == [("killed",), ("stopped",)]


async def test_only_the_password_opens_it(data_dir: Path) -> None:
    async with serving(data_dir) as served:
        assert (data_dir / "database" / "password").stat().st_mode & 0o777 == 0o600
        password = (data_dir / "database" / "password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(served.url.replace(password, "guess"))


async def test_a_pid_file_that_names_somebody_else_is_not_believed(data_dir: Path) -> None:
    async with serving(data_dir) as served:
        stale = (served.files / "postmaster.pid").read_text().splitlines()
    (served.files / "postmaster.pid").write_text("\n".join((str(os.getppid()), *stale[1:])) + "\n")
    async with serving(data_dir) as served:
        assert served.postmaster != os.getppid()


async def test_a_server_left_behind_is_ended_before_a_new_one_starts(data_dir: Path) -> None:
    async with serving(data_dir) as served:
        served.run("create table kept (word text)")
    leftover = leave_behind(data_dir, kept_port(data_dir, "leftover"))

    async with serving(data_dir) as served:
        assert leftover.wait(1) == 0, "it was shut down, not killed"
        assert served.run("select count(*) from kept") == [(0,)]


def leave_behind(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    """A server that holds the folder's lock and whose keeper is gone."""
    with opened_lock(data_dir / "database") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = cluster_in(data_dir / "database", lock)
        server = subprocess.Popen(
            [cluster.installation.postgres, "-D", cluster.files, "-p", str(port), "-c", "unix_socket_directories="],
            pass_fds=(lock,),
            preexec_fn=cluster.identity.assume,  # noqa: PLW1509 - no thread runs here
            cwd="/",
            stderr=subprocess.DEVNULL,
        )
    pid_file = cluster.files / "postmaster.pid"
    eventually(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    return server


async def test_an_initdb_that_was_cut_off_is_done_again(data_dir: Path) -> None:
    unfinished = data_dir / "database" / "cluster.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("16\n")
    async with serving(data_dir) as served:
        assert served.run("select 1") == [(1,)]
    assert not unfinished.exists()


async def test_what_a_person_must_mend_is_one_line(data_dir: Path) -> None:
    folder = data_dir / "database"
    port = kept_port(data_dir, "database")
    with socket.create_server((HOST, port)):
        assert await refusal(data_dir, port) == (
            f"{HOST}:{port} is in use by another program: stop that program or choose another port"
        )

    (folder / "password").rename(folder / "lost")
    assert await refusal(data_dir) == (
        f"the password file {folder}/password is gone: restore it, or move {folder} away to start empty"
    )
    (folder / "password").write_text("another")
    assert await refusal(data_dir) == f"{folder}/password does not open the database beside it: restore it"
    (folder / "lost").rename(folder / "password")

    (folder / "cluster" / "PG_VERSION").write_text("12\n")
    assert (await refusal(data_dir)).startswith(
        f"the database in {folder}/cluster was made by PostgreSQL 12, found here: "
    )
    (folder / "cluster" / "PG_VERSION").write_text("")
    assert "is damaged (PG_VERSION)" in await refusal(data_dir)


async def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a folder" in await refusal(tmp_path / "file", port=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], capture_output=True).returncode != 0:
        pytest.skip("may not mount a small file system here; run as root outside a container to enable")
    yield disk
    subprocess.run(["umount", disk], check=True)


@as_root
async def test_a_full_and_a_read_only_disk_are_one_line(small_disk: Path) -> None:
    assert await refusal(small_disk / "data", 1) == (
        f"the disk that holds {small_disk}/data/database is full: free some space, then start again"
    )
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert await refusal(small_disk / "data", 1) == (
        f"{small_disk}/data/database is on a read-only file system: set TOCSIN_DATA_DIR to a folder that can be written"
    )


@as_root
async def test_as_root_in_a_directory_only_root_can_enter(tmp_path: Path) -> None:
    data_dir = only_root(tmp_path) / "data"
    async with serving(data_dir) as served:
        served.run("create table kept (word text)")
        assert Path(f"/proc/{served.postmaster}").stat().st_uid in {0, NOBODY}

    given = data_dir / "database"
    for path in (given, *given.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)  # as where user namespaces are forbidden
    async with serving(data_dir) as served:
        assert served.run("select count(*) from kept") == [(0,)]
        assert Path(f"/proc/{served.postmaster}").stat().st_uid == NOBODY
    assert given.stat().st_uid == NOBODY, "it keeps its owner, who may want to start it without root next time"


@as_root
def test_programs_in_a_directory_only_root_can_enter(tmp_path: Path, installation: Installation) -> None:
    closed = only_root(tmp_path)
    program = Path(shutil.copy(installation.postgres, closed / "postgres"))
    (closed / "roots").mkdir()
    (closed / "nobodys").mkdir()
    os.chown(closed / "nobodys", NOBODY, NOBODY)
    assert isinstance(identity_for(closed / "roots", program), Renamed | Dropped)
    assert identity_for(closed / "nobodys", program) == Dropped(NOBODY, NOBODY)


def only_root(tmp_path: Path) -> Path:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return closed


AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # This checkout may itself be where only root can go: a right to read, which the data directory does not need.
    *(
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ),
)


@pytest.fixture
def nobodys_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:  # tmp_path lies in a directory of root's own
        os.chown(home, NOBODY, NOBODY)
        yield Path(home)


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="install util-linux to enable")
def test_an_ordinary_user_serves_too_and_is_told_whose_data_it_is(nobodys_home: Path) -> None:
    home = nobodys_home
    command = [*AS_NOBODY, sys.executable, "-m", "tests.actors", "up", "database", str(home / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert any("database is ready" in line for line in up.stdout)
        up.terminate()
        assert up.wait(10) == 0
    assert (home / "data" / "database" / "cluster").stat().st_uid == NOBODY

    for path in (home / "data" / "database").rglob("*"):
        os.chown(path, 1, 1)
    os.chown(home / "data" / "database", 1, 1)
    said = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    assert "permission" in said or "belongs to the user daemon" in said
    assert "Traceback" not in said
