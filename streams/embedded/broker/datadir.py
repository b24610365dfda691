"""The broker's files in its data directory: the lock that keeps a second broker out, and the SQLite schema."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.embedded.broker.settings import BrokerError

FORMAT = 1
LOG_FILE = "log.sqlite"

# Beyond this the writer itself moves the write-ahead log into the file; below, the checkpoint thread does.
_WAL_PAGES = 16_384

_SCHEMA = """
create table if not exists topic (id integer primary key, name text not null unique, config text not null);
create table if not exists partition (
    id integer primary key, topic integer not null references topic, number integer not null,
    start_offset integer not null default 0, unique (topic, number));
create table if not exists batch (
    id integer primary key, partition integer not null, base integer not null, last integer not null,
    bytes integer not null, appended_ms integer not null, max_ms integer not null, data blob not null);
create index if not exists batch_by_offset on batch (partition, base, last, bytes, appended_ms, max_ms);
create table if not exists producer (
    partition integer not null, producer_id integer not null, epoch integer not null, batches blob not null,
    seen_ms integer not null, primary key (partition, producer_id)) without rowid;
create table if not exists committed (
    consumer_group text not null, partition integer not null, committed_offset integer not null,
    metadata text not null, primary key (consumer_group, partition)) without rowid;
create table if not exists consumer_group (name text primary key, state text not null) without rowid;
create table if not exists counter (name text primary key, value integer not null) without rowid;
"""


@contextmanager
def locked(data_dir: Path) -> Iterator[Path]:
    """Hold the data directory (made if need be) and give the path of its log; the lock goes with the process.

    Raises BrokerError when another broker holds it or it cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data_dir / "broker.lock").open("w")
    except OSError as error:
        raise BrokerError(f"the broker cannot write to {data_dir}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BrokerError(f"another broker is running on {data_dir}; stop it or choose another directory") from None
        yield data_dir / LOG_FILE


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode that may be handed to another thread."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    db.execute("pragma synchronous = full")
    return db


def open_log(path: Path) -> sqlite3.Connection:
    """The writer's connection, with the schema in place. Raises BrokerError when the file is not ours."""
    try:
        db = connect(path)
        (version,) = db.execute("pragma user_version").fetchone()
        if version not in (0, FORMAT):
            db.close()
            raise BrokerError(f"{path} has format {version}, this version of Tocsin reads {FORMAT}; use the newer one")
        db.execute("pragma journal_mode = wal")
        db.execute(f"pragma wal_autocheckpoint = {_WAL_PAGES}")
        db.executescript(_SCHEMA)
        db.execute(f"pragma user_version = {FORMAT}")
    except sqlite3.Error as error:
        raise BrokerError(f"the broker cannot open {path}: {error}; free the disk or move the file away") from error
    return db
