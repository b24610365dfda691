"""Whether a PostgreSQL runs on the database folder, and whether who answers is it. Owns the lock; starts no server.

Every process of a server inherits the locked file, so the kernel says who runs; a pid is believed only after its server
has proved itself by knowing our password and serving our files.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg

from streams.places import Unusable, unusable

ROLE = "tocsin"
_POLL = 0.02
_LEFTOVER_WITHIN = 30.0


@contextlib.contextmanager
def opened_lock(folder: Path) -> Iterator[int]:
    """The lock's open file, not yet locked. Never unlocked by hand: it is free once its last holder is gone."""
    try:
        lock = os.open(folder / "running.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(error, folder) from error
    try:
        yield lock
    finally:
        os.close(lock)


async def take(lock: int, folder: Path) -> None:
    """Takes the lock, ending a server that an earlier run left behind. Raises `Unusable` when that does not end."""
    now = asyncio.get_running_loop().time
    deadline, told = now() + _LEFTOVER_WITHIN, False
    while not _taken(lock, folder):
        told = told or await _end_leftover(folder)
        if now() > deadline:
            raise Unusable(
                f"an earlier PostgreSQL on {folder} does not end: stop the processes named postgres that use it"
            )
        await asyncio.sleep(_POLL)


async def connect(
    folder: Path, password: str, host: str, port: int, database: str
) -> psycopg.AsyncConnection[tuple[object, ...]]:
    """Connects and makes sure that who answers serves this folder. Raises psycopg.OperationalError."""
    connection = await psycopg.AsyncConnection.connect(
        host=host,
        port=port,
        user=ROLE,
        password=password,
        dbname=database,
        sslmode="disable",
        connect_timeout=5,
        autocommit=True,
    )
    answer = await (await connection.execute("show data_directory")).fetchone()
    if answer is None or not _same(Path(str(answer[0])), folder / "cluster"):
        await connection.close()
        raise psycopg.OperationalError(f"port {port} serves another database")
    return connection


async def _end_leftover(folder: Path) -> bool:
    """Asks the server that serves this folder to end; False when there is none that proves itself (yet)."""
    try:
        lines = (folder / "cluster" / "postmaster.pid").read_text("utf-8").splitlines()
        pid, port, host = int(lines[0]), int(lines[3]), lines[5].strip()
        await (await connect(folder, read_password(folder), host, port, "postgres")).close()
        os.kill(pid, signal.SIGINT)  # a server that lives keeps its own pid file true
    except (OSError, ValueError, IndexError, psycopg.Error):
        return False  # it starts or ends just now, or its postmaster is dead and the rest will notice
    return True


def read_password(folder: Path) -> str:
    return (folder / "password").read_text("ascii").strip()


def _taken(lock: int, folder: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise Unusable(f"{folder} is on a file system without locks: set TOCSIN_DATA_DIR to a local disk") from error
    return True


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
