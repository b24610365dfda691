"""Where the processes of a run answer: `run/<name>.json` and the ports kept from run to run.

An endpoint counts only while its run holds the data directory's lock: the nonce in the file must be the lock's. Nothing
here believes a pid. The files may hold secrets (a database URL), so they are readable for their owner alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from pathlib import Path

from streams.places import private_folder, unusable
from streams.runlock import current_run

# Below the ranges that Linux (32768) and macOS (49152) use for outgoing connections, so that no port is lost to one of
# them while its server restarts.
_LOWEST_PORT, _PORTS = 20_000, 12_000


def publish(data_dir: Path, name: str, address: str, run: str) -> None:
    """Says where `name` answers in this run. Raises `Unusable`."""
    _write(private_folder(data_dir / "run") / f"{name}.json", {"address": address, "run": run})


def withdraw(data_dir: Path, name: str) -> None:
    """`name` no longer answers."""
    with contextlib.suppress(OSError):  # a stale file does no harm: its nonce is of no run that is up
        (data_dir / "run" / f"{name}.json").unlink(missing_ok=True)


def left_behind(data_dir: Path, name: str) -> bool:
    """Whether a run that has ended never withdrew `name`: it was killed, and its processes may still be ending."""
    return (data_dir / "run" / f"{name}.json").exists() and find(data_dir, name) is None


def find(data_dir: Path, name: str) -> str | None:
    """The address of `name`, if it was published by the run that is up now."""
    entry = _read(data_dir / "run" / f"{name}.json")
    address, run = entry.get("address"), entry.get("run")
    return address if isinstance(address, str) and run is not None and run == current_run(data_dir) else None


def kept_port(data_dir: Path, name: str, host: str = "127.0.0.1") -> int:
    """A free port for `name`: the one of the last run if it still is, else a new one, which is remembered."""
    path = private_folder(data_dir) / "ports.json"
    ports = _read(path)
    port = ports.get(name)
    if not isinstance(port, int) or not is_free(host, port):
        port = _free_port(host, taken={other for other in ports.values() if isinstance(other, int)})
        _write(path, {**ports, name: port})
    return port


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do; else TIME_WAIT looks occupied
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def _free_port(host: str, taken: set[int]) -> int:
    for _ in range(200):
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        if port not in taken and is_free(host, port):
            return port
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def _read(path: Path) -> dict[str, object]:
    """The file's object; empty where it is missing or not ours to read (nothing then counts as known)."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, object]) -> None:
    partial = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        partial.replace(path)
    except OSError as error:
        raise unusable(error, path.parent) from error
