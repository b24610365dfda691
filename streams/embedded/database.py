"""Serves the embedded PostgreSQL for one data directory until told to stop. Owns the server process; knows no tables.

Who runs is decided by the folder's lock, which every PostgreSQL process inherits, and by connecting with our own
password; a pid file is never believed. Raises `Unusable` where only a person can help, `DatabaseDied` where a restart may.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from streams.embedded.cluster import Cluster, cluster_in, make_files, opened_lock, try_lock
from streams.embedded.postgres_log import DatabaseDied
from streams.places import Unusable, private_folder

_POLL = 0.02
_LEFTOVER_WITHIN = 30.0
_STOP_WITHIN = 20.0
_REFUSED_WITHIN = 2.0

# fsync, full_page_writes and synchronous_commit stay at their default: on.
_SETTINGS = (
    "unix_socket_directories=",
    "max_connections=60",
    "shared_buffers=64MB",
    "max_wal_size=256MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
    "log_line_prefix=%m [%p] %u ",
    "logging_collector=off",
)


async def serve_database(data_dir: Path, host: str, port: int, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then returns after a fast, clean shutdown. `ready` gets the postgresql:// URL once."""
    folder = private_folder(data_dir.absolute() / "database")
    with opened_lock(folder) as lock:
        await _take(lock, folder)
        cluster = cluster_in(folder, lock)
        await make_files(cluster)
        (cluster.files / "postmaster.pid").unlink(missing_ok=True)  # the lock is ours, so it is stale, whoever has its pid now
        server = _Server(cluster, host, port, cluster.log.size(), await _start(cluster, host, port))
        try:
            if await server.answers(stop):
                await cluster.ensure_database(host, port)
                ready(cluster.url(host, port))
                await server.ended_or(stop)
        except psycopg.Error as error:
            raise server.why() from error
        finally:
            await server.end()


@dataclass(frozen=True, slots=True)
class _Server:
    """One run of PostgreSQL."""

    cluster: Cluster
    host: str
    port: int
    log_start: int
    process: asyncio.subprocess.Process

    async def answers(self, stop: asyncio.Event) -> bool:
        """Waits for as long as recovery takes. False: told to stop meanwhile. Raises when PostgreSQL gives up."""
        refusals = 0
        while not stop.is_set():
            if self.process.returncode is not None:
                raise self.why()
            try:
                await (await self.cluster.connect(self.host, self.port, "postgres")).close()
            except psycopg.OperationalError as error:
                refusals += "password authentication failed" in str(error)
                if refusals * _POLL > _REFUSED_WITHIN:
                    raise Unusable(f"{self.cluster.folder}/password does not open the database beside it: restore it") from error
            else:
                return True
            await asyncio.sleep(_POLL)
        return False

    async def ended_or(self, stop: asyncio.Event) -> None:
        """Returns when told to stop; raises when PostgreSQL ends before that."""
        stopping, ending = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait((stopping, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ending.cancel()
        if not stop.is_set():
            raise self.why()

    async def end(self) -> None:
        """Fast shutdown; harder, when that takes too long (the next start then recovers)."""
        for number, within in ((signal.SIGINT, _STOP_WITHIN), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self.process.returncode is None:
                self.process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.process.wait(), within)

    def why(self) -> Unusable | DatabaseDied:
        """The reason for an end that nobody asked for."""
        code = self.process.returncode
        if code is not None and code < 0:
            return DatabaseDied(f"PostgreSQL was ended by {signal.Signals(-code).name}")
        return self.cluster.log.why(self.log_start, f"{self.host}:{self.port}")


async def _start(cluster: Cluster, host: str, port: int) -> asyncio.subprocess.Process:
    settings = (*_SETTINGS, f"listen_addresses={host}", f"port={port}")
    flags = [part for setting in settings for part in ("-c", setting)]
    return await cluster.start(cluster.installation.postgres, "-D", str(cluster.files), *flags, when_parent_dies=signal.SIGINT)


async def _take(lock: int, folder: Path) -> None:
    """Takes the folder's lock, ending what an earlier run left behind."""
    if try_lock(lock, folder):
        return
    deadline = asyncio.get_running_loop().time() + _LEFTOVER_WITHIN
    told: int | None = None
    while not try_lock(lock, folder):
        told = told or await _end_leftover(lock, folder)
        if asyncio.get_running_loop().time() > deadline:
            raise Unusable(f"an earlier PostgreSQL still runs on {folder} and does not end: stop the processes named postgres that use it")
        await asyncio.sleep(_POLL)


async def _end_leftover(lock: int, folder: Path) -> int | None:
    """Ends a server that proves, by our password and its data directory, that it serves this folder; its pid if so.

    Only after that proof is its pid file believed: a live server keeps its own one true.
    """
    try:
        lines = (folder / "cluster" / "postmaster.pid").read_text("utf-8").splitlines()
        pid, port, host = int(lines[0]), int(lines[3]), lines[5].strip()
        cluster = cluster_in(folder, lock)
        await (await cluster.connect(host, port, "postgres")).close()
        os.kill(pid, signal.SIGINT)
    except (OSError, ValueError, IndexError, psycopg.OperationalError):
        return None  # it starts or ends just now, or its postmaster is dead and the rest will notice
    return pid
