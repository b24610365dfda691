"""`python -m tests.bench [--only latency,…] [--quick]`: prints a table and writes `.bench/results.json`.

A partial run, less than every measure in full size, leaves that file alone and writes `.bench/partial.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from tests.bench.figures import Figures, merged, ratio, table
from tests.bench.measures import MEASURES, QUICK, RATIOS, Size
from tests.bench.system import FLOOR, OURS, System, peer, running

RESULTS = Path(".bench/results.json")
PARTIAL = Path(".bench/partial.json")
_VERSIONS = ("faust-streaming", "aiokafka", "pydantic", "psycopg", "uvicorn", "uvloop", "pagerduty")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", metavar="MEASURE,…", default=",".join(MEASURES), help="of " + ", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="small loads, one round: shows that it runs, not how fast")
    given = parser.parse_args()
    names = [name for name in MEASURES if name in given.only.split(",")]
    if not names or set(given.only.split(",")) - set(MEASURES):
        parser.error(f"--only {given.only}: choose of {', '.join(MEASURES)}")
    try:
        uvloop.run(measure(names, QUICK if given.quick else Size()))
    except KeyboardInterrupt:
        return 130
    return 0


async def measure(names: list[str], size: Size) -> None:
    """Both systems side by side, in turn; then the table and the file."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # a PostgreSQL that may not be root's looks in here
        async with contextlib.AsyncExitStack() as stack:
            peer_address = await stack.enter_async_context(peer(Path(folder)))
            systems = [
                await stack.enter_async_context(running(kind, Path(folder), peer_address)) for kind in (OURS, FLOOR)
            ]
            results = {name: await compared(name, systems, size) for name in names}
    conditions = _conditions(time.monotonic() - began)
    say("\n".join(table(results)))
    say("\n".join(f"{name}: {value}" for name, value in conditions.items()))
    say(write(Path(), results, conditions, size))


def write(folder: Path, results: Mapping[str, object], conditions: Mapping[str, object], size: Size) -> str:
    """Writes the file below `folder`; what to say of it. The figures of a whole run outlast any partial one."""
    partial = set(results) != set(MEASURES) or size != Size()
    path = PARTIAL if partial else RESULTS
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text(json.dumps({**results, "conditions": conditions}, indent=2) + "\n", encoding="utf-8")
    return f"written to {path}" + (f"; a partial run, so {RESULTS} stays as it is" if partial else "")


async def compared(name: str, systems: Sequence[System], size: Size) -> dict[str, Figures]:
    """One measure of ours and of the floor, in turn, and their ratio."""
    rounds: dict[str, list[Figures]] = {system.kind.name: [] for system in systems}
    for number in range(size.rounds):
        for system in systems:
            say(f"{name}: {system.kind.name}, round {number + 1} of {size.rounds} …")
            rounds[system.kind.name].append(await MEASURES[name](system, size))
    ours, floor = (merged(rounds[system.kind.name]) for system in systems)
    return {"ours": ours, "floor": floor, "ratio": ratio(ours, floor, RATIOS[name])}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _conditions(seconds: float) -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "load_average": round(os.getloadavg()[0], 2),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
