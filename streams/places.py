"""What goes wrong with places on this machine, in one line for people. Never prints it, never ends a process."""

from __future__ import annotations

import errno
from pathlib import Path


class Failed(RuntimeError):
    """Something ended that should not have; the message is one line for people. Starting it again may help."""


class Unusable(Failed):
    """Starting again will not help before a person acts; the line says what is wrong and what to do."""


_SAYINGS = {
    errno.ENOSPC: "the disk that holds {place} is full: free some space, then start again",
    errno.EDQUOT: "the disk quota for {place} is used up: free some space, then start again",
    errno.EROFS: "{place} is on a read-only file system: set TOCSIN_DATA_DIR to a folder that can be written",
    errno.EACCES: "no permission to write {place}: make it writable for this user or set TOCSIN_DATA_DIR",
    errno.EPERM: "no permission to write {place}: make it writable for this user or set TOCSIN_DATA_DIR",
    errno.ENOTDIR: "{place} is not a folder: set TOCSIN_DATA_DIR to one",
    errno.EEXIST: "{place} is not a folder: set TOCSIN_DATA_DIR to one",
    errno.ENAMETOOLONG: "the path {place} is too long: set TOCSIN_DATA_DIR to a shorter one",
    errno.EADDRINUSE: "{place} is in use by another program: stop that program or choose another port",
    errno.EADDRNOTAVAIL: "{place} is no address of this machine: choose one that is",
    errno.EMFILE: "too many open files around {place}: raise the limit (ulimit -n)",
}


def unusable(error: OSError, place: Path | str) -> Unusable:
    """The same refusal in one line that names the place and what to do."""
    saying = _SAYINGS.get(error.errno or 0)
    if saying is None:
        return Unusable(f"{place} cannot be used: {error.strerror or error}")
    return Unusable(saying.format(place=place))


def private_folder(path: Path) -> Path:
    """Makes the folder, for this user alone, where it is missing; proves that it can be written. Raises `Unusable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise unusable(error, path) from error
    return path
