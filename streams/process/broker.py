"""The embedded broker's process."""

from __future__ import annotations

from typing import Final

from streams.embedded.broker import BrokerError, serve_broker
from streams.places import Unusable, private_folder
from streams.processes import Supervised
from streams.settings import Settings

LOOPBACK: Final = "127.0.0.1"


async def main(settings: Settings, self: Supervised, port: int) -> None:
    """Serves until told to stop. Raises Unusable."""
    folder = private_folder(settings.data_dir / "broker")
    try:
        await serve_broker(folder, LOOPBACK, port, lambda bound: self.ready(f"{LOOPBACK}:{bound}"), self.stop)
    except BrokerError as error:
        raise Unusable(str(error)) from None
