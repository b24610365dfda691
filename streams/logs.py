"""How processes log: one line each on stderr, warnings of libraries and what Tocsin itself says. Never secrets, never
bodies.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

QUIET: Final = (
    "streams.group",  # what Faust's services say of their starts and stops, under the names of our subclasses
    "streams.guard",
    "aiokafka",
    "psycopg.pool",
    "faust",
    "mode",
    "slack_sdk",
    "pagerduty",
    "httpx",
    "httpx2",
    "uvicorn",
    "asyncio",
    "alembic",
)

SILENT: Final = {
    "aiokafka": logging.CRITICAL,
    "psycopg.pool": logging.CRITICAL,
    "faust": logging.ERROR,
    "mode": logging.ERROR,
}
"""Those that repeat the same line for as long as a server is away; our own loops say it once."""


def configure(level: int = logging.INFO) -> None:
    """Sets up the root logger of this process."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(SILENT.get(name, logging.WARNING))
