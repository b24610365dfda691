"""`python -m streams.serve broker|database|migrate|web|worker [PORT]`: runs one process to its end.

Every fault becomes one line. The processes are loaded by name, so that none waits for what only the others need.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from collections.abc import Mapping
from typing import Final

from streams import logs
from streams.loops import TRANSIENT
from streams.places import Failed, Unusable
from streams.processes import SUPERVISED, Supervised, run_child
from streams.settings import SettingsError, read_settings

log = logging.getLogger("tocsin")

PROCESSES: Final[Mapping[str, str]] = {
    "broker": "streams.process.broker",
    "database": "streams.process.database",
    "migrate": "streams.process.migrate",
    "web": "streams.process.web",
    "worker": "streams.process.worker",
}


COLLECT_AFTER: Final = (50_000, 20, 100)
"""Records in flight are many objects and no garbage. At Python's defaults, looking through them again and again was
about half of what a profile of a loaded worker's event loop showed.
"""
EXPECTED: Final[tuple[type[Exception], ...]] = (SettingsError, ExceptionGroup, *TRANSIENT)


def run(name: str, port: int = 0) -> int:
    """Runs the process `name`; its exit code."""
    logs.configure()
    process = importlib.import_module(PROCESSES[name])
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)

    async def main(self: Supervised) -> None:
        try:
            await process.main(read_settings(), _announced(name, self), port)
        except EXPECTED as error:
            fault = _first(error)
            if isinstance(fault, SettingsError):
                raise Unusable(str(fault)) from None
            if isinstance(fault, TRANSIENT):
                raise Failed(str(fault) or type(fault).__name__) from None
            raise

    return run_child(main)


def _announced(name: str, self: Supervised) -> Supervised:
    """Says that it is ready, where no supervisor does."""

    def ready(address: str) -> None:
        if SUPERVISED not in os.environ:
            log.info("%s is ready%s", name, f" at {address}" if address.startswith("http") else "")
        self.ready(address)

    return Supervised(self.stop, ready)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
