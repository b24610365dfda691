"""Memory and processor time of a tree of processes, by role. Reads /proc where there is one, asks `ps` elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_EVERY = 0.1
_LOOKED_UP_EVERY = 10
"""Samples between looks at which processes there are."""
_IDLE = 0.06
"""Processor seconds per second below which a system counts as idle."""
_ANEW_WITHIN = 30.0
_MODULES = {"streams.serve", "tests.bench.floor"}
_MIB = 1024 * 1024


@dataclass(slots=True)
class Usage:
    """What a system used while something was measured."""

    peak_mib: dict[str, float] = field(default_factory=dict)
    """Resident memory. Of a database, the private part of each process and the shared part once."""
    cpu_s: dict[str, float] = field(default_factory=dict)


def roles(root: int) -> dict[str, list[int]]:
    """Pids below `root`: `… streams.serve worker` is `worker`, and so is what it starts; the rest is `up`."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    table = [line.split() for line in listed.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, *_ in table}
    commands = {int(pid): command for pid, _, *command in table}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for pid in parents:
        if (role := _role(pid, root, parents, commands)) is not None:
            found[role].append(pid)
    return dict(found)


def _role(pid: int, root: int, parents: Mapping[int, int], commands: Mapping[int, list[str]]) -> str | None:
    role = None
    while pid in parents and pid != root:
        words = commands[pid]
        role = role or next((words[at + 1] for at, word in enumerate(words[:-1]) if word in _MODULES), None)
        pid = parents[pid]
    return (role or "up") if pid == root else None


@contextlib.asynccontextmanager
async def watched(root: int) -> AsyncIterator[Usage]:
    """Fills in what the tree below `root` uses meanwhile, processes that begin meanwhile (of a database) included."""
    usage, tree = Usage(), roles(root)
    before = {pid: _cpu_s(pid) for pids in tree.values() for pid in pids}

    async def sample() -> None:
        nonlocal tree
        for number in itertools.count(1):
            if number % _LOOKED_UP_EVERY == 0:
                tree = roles(root)
            for role, pids in tree.items():
                usage.peak_mib[role] = round(max(usage.peak_mib.get(role, 0.0), _resident_mib(pids)), 1)
            await asyncio.sleep(_EVERY)

    sampling = asyncio.create_task(sample())
    try:
        yield usage
    finally:
        sampling.cancel()
        for role, pids in roles(root).items():
            usage.cpu_s[role] = round(sum(_cpu_s(pid) - before.get(pid, 0.0) for pid in pids), 2)


async def settled(root: int, within: float = 60.0) -> float:
    """Returns once the tree has nothing more to do, or is still busy after `within` seconds: since when it rests, in
    monotonic seconds.
    """
    loop = asyncio.get_running_loop()
    until, quiet, busy_at = loop.time() + within, 0, loop.time()
    pids = [pid for pids in roles(root).values() for pid in pids]
    used = sum(map(_cpu_s, pids))
    while quiet < 3 and loop.time() < until:
        await asyncio.sleep(0.5)
        now = sum(map(_cpu_s, pids))
        quiet = quiet + 1 if (now - used) / 0.5 < _IDLE else 0
        busy_at = busy_at if quiet else loop.time()
        used = now
    return busy_at


async def started_anew(root: int, role: str) -> None:
    """Ends the processes of one role; returns once their supervisor has started others, and these have come to rest."""
    ended = set(roles(root)[role])
    for pid in ended:
        os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(_ANEW_WITHIN):
        while not (now := set(roles(root).get(role, ()))) or now & ended:
            await asyncio.sleep(_EVERY)
    await settled(root)


def _cpu_s(pid: int) -> float:
    """User and system time; 0 for a process that is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:
        seconds = 0.0
        for part in _ps("time", pid).strip().replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part or 0)
        return seconds


def _resident_mib(pids: list[int]) -> float:
    private, shared = 0, 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            facts = {
                name: int(rest.split()[0])
                for name, _, rest in (line.partition(":") for line in lines)
                if name in _FACTS
            }
            private += facts.get("VmRSS", 0) - facts.get("RssShmem", 0)
            shared = max(shared, facts.get("RssShmem", 0))
        except FileNotFoundError:
            private += int(_ps("rss", pid).strip() or 0)
    return (private + shared) * 1024 / _MIB


_FACTS = {"VmRSS", "RssShmem"}


def _ps(column: str, pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""  # it is gone
    return subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True).stdout
