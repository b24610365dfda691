"""The SQLite file and the one thread that writes to it, with group commit.

Work submitted while a commit is on its way to disk shares the next one. What a piece of work returns is published on
the event loop, in commit order, only after the commit is on disk; work that fails leaves nothing behind, neither in the
file nor in the memory that it changed (`Transaction.on_rollback`). Knows nothing of Kafka.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from streams.embedded.broker.datadir import connect, open_log

logger = logging.getLogger(__name__)
T = TypeVar("T")

_GROUP = 256  # pieces of work in one commit
# A checkpoint competes with commits for the disk, so it is done seldom; the later, the more pages it writes only once.
_CHECKPOINT_COMMITS = 1000
_CHECKPOINT_SECONDS = 10


class StorageError(Exception):
    """The disk refused (full, or broken); nothing of the work was done. The message is SQLite's."""


class Transaction:
    """What a piece of work sees: the database, and promises about the moments around the commit."""

    __slots__ = ("_late", "_undo", "db")

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._undo: list[Callable[[], None]] = []
        self._late: dict[object, tuple[str, tuple[object, ...]]] = {}

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Take back a change of memory, should this transaction not reach the disk. Newest first."""
        self._undo.append(undo)

    def late(self, key: object, sql: str, row: tuple[object, ...]) -> None:
        """Run `sql` once before the commit, with the last row given for `key`."""
        self._late[key] = (sql, row)

    def commit(self) -> None:
        for sql, row in self._late.values():
            self.db.execute(sql, row)
        self.db.execute("commit")

    def rollback(self) -> None:
        for undo in reversed(self._undo):
            undo()
        if self.db.in_transaction:  # SQLite has already rolled back after some errors
            self.db.execute("rollback")


class _Item(NamedTuple):
    work: Callable[[Transaction], Any]
    publish: Callable[[Any], None] | None
    done: asyncio.Future[Any]


class Storage:
    """The open log of one data directory. `before_commit` is where tests hold the writer back."""

    def __init__(self, path: Path) -> None:
        """Opens the file; everything may be read by way of `db` until `start`, which hands it to the writer."""
        self.db = open_log(path)
        self._path = path
        self._reading = connect(path)
        self._readers = ThreadPoolExecutor(1, "broker-read")
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._group: list[_Item] = []
        self.before_commit: Callable[[], object] | None = None
        self.commits = 0

    def start(self, died: Callable[[], None]) -> None:
        """Begin to write. `died` is called on the event loop should the writer stop for a fault of the program."""
        self._loop = asyncio.get_running_loop()
        self._died = died
        for name, run in (("broker-write", self._write), ("broker-checkpoint", self._checkpoint)):
            self._threads.append(threading.Thread(target=run, name=name, daemon=True))
            self._threads[-1].start()

    def submit(self, work: Callable[[Transaction], T], publish: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Do `work` in the next commit; `publish` its result on the loop even if nobody awaits the future any more.

        The future raises StorageError when the disk refused.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Item(work, publish, done))
        return done

    def read(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Read what is committed, in a thread, so that an old offset on a slow disk holds nobody up."""
        return asyncio.get_running_loop().run_in_executor(self._readers, work, self._reading)

    @property
    def waiting(self) -> int:
        """Pieces of work that are not yet in a commit under way."""
        return self._queue.qsize()

    async def close(self) -> None:
        """Write what was submitted, then let go of the file. What is submitted later is never done."""
        self._queue.put(None)
        self._closing.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._readers.shutdown()
        self._reading.close()
        self.db.close()  # the last connection: SQLite folds the write-ahead log into the file

    def _write(self) -> None:
        finished = False
        try:
            while self._next_group():
                self._commit(self._group)
            finished = True
        finally:
            self._loop.call_soon_threadsafe(partial(self._stopped, finished=finished))

    def _next_group(self) -> bool:
        """Take everything that waits, at least one piece; False once the storage was closed."""
        item = self._queue.get()
        self._group = group = []
        while item is not None:
            group.append(item)
            if len(group) == _GROUP:
                return True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return True
        if group:
            self._queue.put(None)
        return bool(group)

    def _commit(self, group: list[_Item]) -> None:
        transaction = Transaction(self.db)
        try:
            self.db.execute("begin immediate")
            results = [item.work(transaction) for item in group]
            if self.before_commit is not None:
                self.before_commit()
            transaction.commit()
        except sqlite3.Error as error:
            transaction.rollback()
            self._refuse(group, error)
        else:
            self.commits += 1
            self._loop.call_soon_threadsafe(_publish, group, results)

    def _refuse(self, group: list[_Item], error: sqlite3.Error) -> None:
        """One at a time, so that what still fits (a consumer's commit, say) is not refused with what does not."""
        if len(group) > 1:
            for item in group:
                self._commit([item])
            return
        self._loop.call_soon_threadsafe(_fail, group[0], StorageError(str(error)))

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file beside the writer, whose commits would otherwise pay for it."""
        db = connect(self._path)
        done, waited = 0, 0
        while not self._closing.wait(1):
            waited += 1
            new = self.commits - done
            if not new or (new < _CHECKPOINT_COMMITS and waited < _CHECKPOINT_SECONDS):
                continue
            done, waited = self.commits, 0
            try:
                db.execute("pragma wal_checkpoint(passive)")
            except sqlite3.Error as error:
                logger.warning("broker: the log could not be compacted, trying again: %s", error)
        db.close()

    def _stopped(self, *, finished: bool) -> None:
        stranded = [] if finished else list(self._group)
        while not self._queue.empty():
            if (item := self._queue.get()) is not None:
                stranded.append(item)
        for item in stranded:
            _fail(item, StorageError("the broker has stopped"))
        if not finished:
            self._died()


def _publish(group: list[_Item], results: list[Any]) -> None:
    for item, result in zip(group, results, strict=True):
        if item.publish is not None:
            item.publish(result)
        if not item.done.done():
            item.done.set_result(result)


def _fail(item: _Item, error: StorageError) -> None:
    if not item.done.done():
        item.done.set_exception(error)
