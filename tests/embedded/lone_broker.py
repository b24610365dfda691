"""`python -m tests.embedded.lone_broker FOLDER HOST:PORT`: the broker without a Tocsin, printing its address."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from streams.embedded.broker import BrokerError, serve_broker


async def _serve(folder: Path, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve_broker(folder, host, port, lambda bound: _say(f"{host}:{bound}"), stop)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _folder, _address = sys.argv[1:]
    _host, _, _port = _address.rpartition(":")
    try:
        uvloop.run(_serve(Path(_folder), _host, int(_port)))
    except BrokerError as error:
        sys.exit(f"error: {error}")
