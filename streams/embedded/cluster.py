"""The database's folder: its password, its log, its files of one PostgreSQL major version. Starts no server by itself.

running.lock   held by every process of a running PostgreSQL (they inherit the open file): the kernel says who runs
password       of the only role, readable for its owner alone
cluster/       what initdb made; made as cluster.new and renamed, so it is whole or absent
postgres.log   what PostgreSQL says
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from streams.embedded.postgres import Installation, installation_for
from streams.embedded.postgres_log import PostgresLog
from streams.embedded.privileges import Identity, entrance, identity_for
from streams.embedded.running import ROLE, connect, read_password
from streams.places import Unusable, private_folder, unusable

DATABASE = "tocsin"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database folder that is ready to be served by `installation`, run as `identity`."""

    folder: Path
    installation: Installation
    identity: Identity
    password: str
    lock: int

    @property
    def files(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> PostgresLog:
        return PostgresLog(self.folder / "postgres.log")

    def url(self, host: str, port: int) -> str:
        place = f"[{host}]" if ":" in host else host
        return f"postgresql://{ROLE}:{quote(self.password)}@{place}:{port}/{DATABASE}?sslmode=disable"

    async def connect(self, host: str, port: int, database: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """Connects to this cluster and no other; raises psycopg.OperationalError."""
        return await connect(self.folder, self.password, host, port, database)

    async def ensure_database(self, host: str, port: int) -> None:
        """Creates the one database where it is missing."""
        async with await self.connect(host, port, "postgres") as connection:
            found = await connection.execute("select from pg_database where datname = %s", [DATABASE])
            if found.rowcount == 0:
                await connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    async def start(
        self, program: Path, *arguments: str, when_parent_dies: signal.Signals
    ) -> asyncio.subprocess.Process:
        """Starts a program of the installation under the cluster's identity and lock, its output going to the log."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        try:
            log = os.open(self.log.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise unusable(error, self.log.path) from error
        try:
            return await asyncio.create_subprocess_exec(
                program,
                *arguments,
                cwd="/",
                env={**environment, "LC_ALL": "C", "TZ": "UTC"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self.lock,),
                preexec_fn=entrance(self.identity, when_parent_dies),
            )
        finally:
            os.close(log)


def cluster_in(folder: Path, lock: int) -> Cluster:
    """Chooses programs and identity for the folder and reads, or makes, the password. Raises `Unusable`."""
    private_folder(folder)
    installation = installation_for(_major(folder / "cluster"), folder / "cluster")
    identity = identity_for(folder, installation.postgres)
    return Cluster(folder, installation, identity, _password(folder), lock)


async def make_files(cluster: Cluster) -> None:
    """Runs initdb unless it was run to its end before. Call with the lock held; raises `Unusable` or `DatabaseDied`."""
    cluster.log.trim()
    if cluster.files.exists():
        return
    unfinished = cluster.folder / "cluster.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    before = cluster.log.size()
    process = await cluster.start(
        cluster.installation.initdb,
        *("--pgdata", str(unfinished), "--pwfile", str(cluster.folder / "password"), "--username", ROLE),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions"),
        *("--wal-segsize", "1"),  # MiB: in a young database a commit waits for each new one to be filled with zeros
        when_parent_dies=signal.SIGTERM,
    )
    if await process.wait() != 0:
        reason = cluster.log.why(before, "initdb")
        shutil.rmtree(unfinished, ignore_errors=True)  # on a full disk this gives room to say so
        raise reason
    unfinished.rename(cluster.files)
    _sync(cluster.folder)


def forget_old_pid(cluster: Cluster) -> None:
    """With the lock held, the pid in it is that of no server, whoever has it now; PostgreSQL would believe it."""
    (cluster.files / "postmaster.pid").unlink(missing_ok=True)


def _major(files: Path) -> int | None:
    try:
        return int((files / "PG_VERSION").read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unusable(
            f"{files} is damaged (PG_VERSION): restore it from a backup, or move it away to start empty"
        ) from error
    except OSError as error:
        raise unusable(error, files) from error


def _password(folder: Path) -> str:
    path = folder / "password"
    try:
        password = read_password(folder) if path.exists() else ""
        if not password:
            if (folder / "cluster").exists():
                raise Unusable(f"the password file {path} is gone: restore it, or move {folder} away to start empty")
            password = secrets.token_urlsafe(24)
            _write_private(path, password, folder)
    except OSError as error:
        raise unusable(error, path) from error
    return password


def _write_private(path: Path, text: str, like: Path) -> None:
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        owner = like.stat()
        os.chown(handle, owner.st_uid, owner.st_gid)  # initdb reads it as the folder's owner
        file.flush()
        os.fsync(handle)
    partial.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
