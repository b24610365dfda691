"""The embedded PostgreSQL's process."""

from __future__ import annotations

from typing import Final

from streams.embedded.database import serve_database
from streams.processes import Supervised
from streams.settings import Settings

LOOPBACK: Final = "127.0.0.1"


async def main(settings: Settings, self: Supervised, port: int) -> None:
    """Serves until told to stop. Raises Unusable, and Failed when PostgreSQL died."""
    await serve_database(settings.data_dir, LOOPBACK, port, self.ready, self.stop)
