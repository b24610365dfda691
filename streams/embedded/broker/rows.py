"""Questions to the log's file and what is deleted from it, as functions of a connection. Holds no state."""

from __future__ import annotations

import sqlite3

from streams.embedded.broker.storage import Transaction

_READ = """
select data from batch where partition = :partition and base < :end and base >=
    coalesce((select max(base) from batch where partition = :partition and base <= :offset), :offset) order by base"""
_FIRST_BATCH_AT = "select data from batch where partition = ? and max_ms >= ? and base < ? order by base limit 1"


def read(partition_id: int, offset: int, end: int, max_bytes: int, db: sqlite3.Connection) -> list[bytes]:
    """Whole batches from the one that holds `offset` on, below `end`; at least one where there is one."""
    taken: list[bytes] = []
    rows = db.execute(_READ, {"partition": partition_id, "offset": offset, "end": end})
    for (data,) in rows:
        max_bytes -= len(data)
        if taken and max_bytes < 0:
            break
        taken.append(data)
    rows.close()  # an open cursor would hold its snapshot, and the write-ahead log could not start afresh
    return taken


def first_batch_at(partition_id: int, timestamp_ms: int, end: int, db: sqlite3.Connection) -> bytes | None:
    """The first batch below `end` with a record not older than `timestamp_ms`."""
    row = db.execute(_FIRST_BATCH_AT, (partition_id, timestamp_ms, end)).fetchone()
    return None if row is None else row[0]


def delete_partition(db: sqlite3.Connection, partition_id: int) -> int:
    """Delete all that is stored of a partition; the bytes that its batches had."""
    (size,) = db.execute("select coalesce(sum(bytes), 0) from batch where partition = ?", [partition_id]).fetchone()
    db.execute("delete from batch where partition = ?", [partition_id])
    db.execute("delete from producer where partition = ?", [partition_id])
    db.execute("delete from committed where partition = ?", [partition_id])
    db.execute("delete from partition where id = ?", [partition_id])
    return int(size)


def new_producer_id(transaction: Transaction) -> int:
    """One never given before."""
    sql = "insert into counter values ('producer_id', 1) on conflict do update set value = value + 1 returning value"
    return int(transaction.db.execute(sql).fetchone()[0])
