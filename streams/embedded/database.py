"""Serves the embedded PostgreSQL for one data directory until told to stop. Owns the server process; knows no tables.

Who runs is decided by the folder's lock, which every PostgreSQL process inherits, and by connecting with our own
password; a pid file is never believed. Raises `Unusable` where only a person can help, `DatabaseDied` where a restart
may.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import psycopg

from streams.embedded.cluster import Cluster, cluster_in, forget_old_pid, make_files
from streams.embedded.postgres_log import DatabaseDied
from streams.embedded.running import opened_lock, take
from streams.places import Unusable, private_folder

_POLL = 0.02
_STOP_WITHIN = 20.0

# fsync, full_page_writes and synchronous_commit stay at their default: on. What min_wal_size keeps needs no filling in
# the next storm; of small segments initdb would have only 5 MB kept.
_SETTINGS = (
    "unix_socket_directories=",
    "max_connections=60",
    "shared_buffers=64MB",
    "min_wal_size=80MB",
    "max_wal_size=256MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
    "log_line_prefix=%m [%p] %u ",
    "logging_collector=off",
)


async def serve_database(
    data_dir: Path, host: str, port: int, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serves until `stop` is set, then shuts down fast and cleanly. `ready` gets the postgresql:// URL, once."""
    folder = private_folder(data_dir / "database").resolve()
    with opened_lock(folder) as lock:
        await take(lock, folder)
        cluster = cluster_in(folder, lock)
        await make_files(cluster)
        forget_old_pid(cluster)
        server = _Server(cluster, host, port, cluster.log.size(), await _start(cluster, host, port))
        try:
            if await server.answers(stop):
                ready(cluster.url(host, port))
                await server.unless_it_ends(stop.wait())
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
        while not stop.is_set():
            try:
                await self.unless_it_ends(self.cluster.ensure_database(self.host, self.port))
            except psycopg.errors.DiskFull as error:
                raise self.why() from error
            except psycopg.OperationalError as error:
                if self.cluster.log.tells_wrong_password(self.log_start):  # the port's holder might be a stranger
                    raise Unusable(
                        f"{self.cluster.folder}/password does not open the database beside it: restore it"
                    ) from error
                await asyncio.sleep(_POLL)
            else:
                return True
        return False

    async def unless_it_ends(self, doing: Coroutine[object, object, object]) -> None:
        """Does that, unless PostgreSQL ends first; then raises why. (A stranger on our port may keep us waiting.)"""
        done, ending = asyncio.create_task(doing), asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait((done, ending), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise self.why()
            await done
        finally:
            done.cancel()
            ending.cancel()

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
        if code is not None and code < 0 and -code != signal.SIGABRT:  # SIGABRT is its own, after a PANIC in the log
            return DatabaseDied(f"PostgreSQL was ended by {signal.Signals(-code).name}")
        return self.cluster.log.why(self.log_start, f"{self.host}:{self.port}")


async def _start(cluster: Cluster, host: str, port: int) -> asyncio.subprocess.Process:
    settings = (*_SETTINGS, f"listen_addresses={host}", f"port={port}")
    flags = [part for setting in settings for part in ("-c", setting)]
    return await cluster.start(
        cluster.installation.postgres, "-D", str(cluster.files), *flags, when_parent_dies=signal.SIGINT
    )
