"""Who is up on a data directory. Owns the lock that only `tocsin up` holds; the kernel frees it however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from streams.places import Unusable, private_folder, unusable

_ASK_WITHIN = 0.5  # seconds; `current_run` holds the lock for an instant while it asks


class AlreadyUp(Unusable):
    """Another `tocsin up` holds this data directory."""


@contextlib.contextmanager
def sole_run(data_dir: Path) -> Iterator[str]:
    """Holds the data directory while the block runs; yields the nonce of this run. Raises `AlreadyUp`, `Unusable`."""
    path = private_folder(data_dir) / "up.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(error, path) from error
    try:
        _take(lock, data_dir)
        nonce = secrets.token_hex(16)
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, nonce.encode("ascii"), 0)
        except OSError as error:
            raise unusable(error, data_dir) from error
        yield nonce
    finally:
        os.close(lock)


def current_run(data_dir: Path) -> str | None:
    """The nonce of the run that is up on this data directory, or None."""
    try:
        with (data_dir / "up.lock").open("rb") as file:
            if _locked(file.fileno(), fcntl.LOCK_SH, data_dir):
                return None
            return file.read(64).decode("ascii") or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unusable(error, data_dir) from error


def _take(lock: int, data_dir: Path) -> None:
    deadline = time.monotonic() + _ASK_WITHIN
    while not _locked(lock, fcntl.LOCK_EX, data_dir):
        if time.monotonic() > deadline:
            raise AlreadyUp(
                f"Tocsin is already up on {data_dir.absolute()}: stop it, or set TOCSIN_DATA_DIR to another folder"
            )
        time.sleep(0.02)


def _locked(lock: int, kind: int, data_dir: Path) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise Unusable(
            f"{data_dir} is on a file system without locks ({error.strerror}): set TOCSIN_DATA_DIR to a local disk"
        ) from error
    return True
