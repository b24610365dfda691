"""A peer's process on a leash: its log in a file, ready or not in bounded time, ended for certain."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")


class Process:
    """One process; `stop` ends it gently, and so does the end of this interpreter, however it comes."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            leashed = [sys.executable, str(LEASH), *command]
            self._leash = subprocess.Popen(
                leashed, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )

    def wait_until(self, ready: Callable[[], bool], within: float) -> None:
        """Asks `ready` again and again; raises with the end of the log if the process ends or `within` seconds pass."""
        deadline = time.monotonic() + within
        while not ready():
            if self._leash.poll() is not None:
                raise RuntimeError(f"it ended with {self._leash.returncode}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready within {within:g} s:\n{self.last_words()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the leash: the root of everything that the command starts."""
        return self._leash.pid

    def has_ended(self) -> bool:
        return self._leash.poll() is not None

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        self._leash.wait(20)


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on right now. All are held until all are found, so they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()
