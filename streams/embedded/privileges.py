"""Who PostgreSQL runs as, since it refuses uid 0. Never changes anything outside the database folder it is given.

PostgreSQL runs as the owner of its folder. Where that is root, it runs in a user namespace in which root goes by
another name: the kernel still lets it into what only root may enter, and nothing changes hands. Where namespaces are
forbidden (most containers), the folder is given to `nobody`, who keeps root's right to pass through closed parents.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streams.places import Unusable

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


class Identity(Protocol):
    """Somebody a program can run as."""

    def assume(self) -> None:
        """Becomes that somebody; called in the forked child before exec. Raises OSError where this is not allowed."""


@dataclass(frozen=True, slots=True)
class Oneself:
    def assume(self) -> None:
        """Nothing to do: the caller is no root and has a name."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The caller, under another uid inside a user namespace of its own (os.unshare came with 3.12)."""

    uid: int
    gid: int

    def assume(self) -> None:
        outside_uid, outside_gid = os.geteuid(), os.getegid()
        _check(_LIBC.unshare(_CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"{self.uid} {outside_uid} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"{self.gid} {outside_gid} 1", "ascii")


@dataclass(frozen=True, slots=True)
class Dropped:
    """Another user of this machine, who keeps root's right to pass closed directories where the kernel allows it."""

    uid: int
    gid: int

    def assume(self) -> None:
        if sys.platform == "linux":
            _check(_LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if sys.platform == "linux":
            _keep_file_access()


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapSets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_file_access() -> None:
    header, sets = _CapHeader(_CAP_VERSION_3, 0), (_CapSets * 2)()
    _check(_LIBC.capget(ctypes.byref(header), ctypes.byref(sets)))
    kept = sets[0].permitted & (1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    sets[0].effective = sets[0].permitted = sets[0].inheritable = kept
    sets[1].effective = sets[1].permitted = sets[1].inheritable = 0
    _check(_LIBC.capset(ctypes.byref(header), ctypes.byref(sets)))
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if kept & 1 << capability:
            _check(_LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def entrance(identity: Identity, when_parent_dies: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: assumes the identity and (Linux) asks for a signal at the death of the thread that forks."""
    parent = os.getpid()

    def enter() -> None:
        identity.assume()
        if sys.platform == "linux":  # last, since a change of user takes it back
            _check(_LIBC.prctl(_PR_SET_PDEATHSIG, when_parent_dies, 0, 0, 0))
            if os.getppid() != parent:
                os._exit(1)

    return enter


def identity_for(folder: Path, program: Path) -> Identity:
    """Who can run `program` on `folder`. May give the folder to an unprivileged user. Raises `Unusable`."""
    mine, owner = os.geteuid(), folder.stat().st_uid
    if mine not in {0, owner}:
        raise Unusable(
            f"{folder} belongs to the user {_name(owner)}: start as that user, or set TOCSIN_DATA_DIR to another folder"
        )
    if mine == 0 and owner != 0:
        return _proven(Dropped(owner, folder.stat().st_gid), folder, program)
    if mine != 0 and _name(mine) != str(mine):
        return Oneself()
    nobody = _unprivileged()
    renamed = Renamed(nobody.pw_uid, nobody.pw_gid)
    if sys.platform == "linux" and _works(renamed, folder, program):
        return renamed
    if mine != 0:
        raise Unusable(f"uid {mine} has no name on this machine, and PostgreSQL wants one: add it to /etc/passwd")
    _give(folder, nobody)
    return _proven(Dropped(nobody.pw_uid, nobody.pw_gid), folder, program)


def _proven(identity: Dropped, folder: Path, program: Path) -> Dropped:
    if _works(identity, folder, program):
        return identity
    raise Unusable(
        f"PostgreSQL does not run as root, and the user {_name(identity.uid)} can reach neither "
        f"{program} nor {folder}: start Tocsin as an ordinary user, or set TOCSIN_DATABASE_URL"
    )


def _works(identity: Identity, folder: Path, program: Path) -> bool:
    def enter() -> None:
        identity.assume()
        with os.scandir(folder):
            pass

    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; the keeper has one thread, so forking is safe
            [program, "--version"],
            preexec_fn=enter,
            cwd="/",
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    try:
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent, name), user.pw_uid, user.pw_gid, follow_symlinks=False)
        os.chown(folder, user.pw_uid, user.pw_gid)  # last: a walk cut short is walked again
    except OSError as error:
        raise Unusable(
            f"PostgreSQL does not run as root, and {folder} cannot be given to {user.pw_name} ({error.strerror}): "
            "start Tocsin as an ordinary user, or set TOCSIN_DATABASE_URL"
        ) from error


def _unprivileged() -> pwd.struct_passwd:
    users = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    for name in ("nobody", "daemon", *users):
        if name in users:
            return users[name]
    raise Unusable(
        "PostgreSQL does not run as root, and this machine has no other user: add one, or set TOCSIN_DATABASE_URL"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
