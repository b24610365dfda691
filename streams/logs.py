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


def configure(level: int = logging.INFO) -> None:
    """Sets up the root logger of this process."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR if name in {"aiokafka", "faust", "mode"} else logging.WARNING)
