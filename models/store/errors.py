"""What can go wrong with the store, in three kinds that callers treat differently. Never hides an error of the
program itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from models.records import Unreadable

_MET_OTHERS = (
    errors.UniqueViolation,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
    errors.IdleInTransactionSessionTimeout,  # we were away too long; psycopg counts it as InternalError
)


class StoreError(Exception):
    """Nothing was written. The message is one line that says what is wrong and what to do."""


class Unavailable(StoreError):
    """The database is out of reach or out of room. Worth trying again for as long as it lasts."""


class Conflict(StoreError):
    """Somebody else changed the same incident in between (or two transactions waited for each other). Try again at
    once.
    """


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raises Unavailable, Conflict or (for data that PostgreSQL will never take) Unreadable for what psycopg raises.

    `place` is host, port and database, for people; never the whole URL, which may hold a password.
    """
    try:
        yield
    except _MET_OTHERS as error:
        raise Conflict(f"another worker was, or may have been, at the same records: {first_line(error)}") from error
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise Unreadable(f"the database refuses it: {first_line(error)}") from error
    except errors.DiskFull as error:
        raise Unavailable(f"the disk of PostgreSQL at {place} is full: free some space") from error
    except errors.UndefinedTable as error:
        raise Unavailable(f"the database {place} has no tables of this version: run `tocsin migrate`") from error
    except (psycopg.OperationalError, OSError) as error:
        raise Unavailable(unavailable(place, error)) from error


def unavailable(place: str, error: Exception) -> str:
    """One line about a database that does not answer."""
    return f"PostgreSQL at {place} is unavailable ({first_line(error)}): check that it runs and TOCSIN_DATABASE_URL"


def first_line(error: Exception) -> str:
    """What PostgreSQL said, without the SQL around it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
