"""`python -m streams.embedded.broker --data-dir DIR --bind HOST:PORT`: the broker alone, printing its address."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from streams.embedded.broker import BrokerError, serve_broker


async def _run(data_dir: Path, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve_broker(data_dir, host, port, lambda bound: _say(f"{host}:{bound}"), stop)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streams.embedded.broker", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where the log is kept; made if need be")
    parser.add_argument("--bind", default="127.0.0.1:0", help="HOST:PORT to listen on; port 0 takes a free one")
    given = parser.parse_args()
    host, _, port = given.bind.rpartition(":")
    if not host or not port.isdecimal():
        parser.error(f"--bind {given.bind}: give it as HOST:PORT")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        uvloop.run(_run(given.data_dir, host.strip("[]"), int(port)))
    except BrokerError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
