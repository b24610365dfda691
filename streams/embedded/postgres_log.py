"""What PostgreSQL wrote to its log, in one line for people. Owns the file's size; knows nothing of processes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from streams.embedded.running import ROLE
from streams.places import Failed, Unusable

_LIMIT = 16 * 1024 * 1024
_TAIL = 16 * 1024


class DatabaseDied(Failed):
    """PostgreSQL ended without being told to; starting it again recovers whatever it had committed."""


@dataclass(frozen=True, slots=True)
class PostgresLog:
    path: Path

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def trim(self) -> None:
        """Keeps one older file of bounded size. Only while no server runs."""
        if self.size() > _LIMIT:
            self.path.replace(self.path.with_suffix(".log.1"))

    def tells_wrong_password(self, since: int) -> bool:
        return f'password authentication failed for user "{ROLE}"' in self._since(since)

    def why(self, since: int, place: str) -> Unusable | DatabaseDied:
        """The reason for an end, from what was written since the log had that size. `place` is the server's address."""
        said = self._since(since)
        folder = self.path.parent
        if "No space left on device" in said:
            return Unusable(f"the disk that holds {folder} is full: free some space, then start again")
        if "Address already in use" in said:
            return Unusable(f"{place} is in use by another program: stop that program or choose another port")
        if "Read-only file system" in said:
            return Unusable(f"{folder} is on a read-only file system: make it writable, or set TOCSIN_DATA_DIR")
        if "is still in use" in said:
            return Unusable(f"another PostgreSQL is running on {folder}: stop it, then start again")
        complaints = re.findall(r"(?:FATAL|PANIC|ERROR|error):\s+(.+)", said)
        return DatabaseDied(
            f"PostgreSQL ended: {complaints[-1] if complaints else 'it gave no reason'} (more in {self.path})"
        )

    def _since(self, size: int) -> str:
        with self.path.open("rb") as log:
            log.seek(max(size, self.size() - _TAIL))
            return log.read().decode(errors="replace")
