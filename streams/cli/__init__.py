"""The entry point of `tocsin`. Loads nothing before it can be interrupted: the rest takes a moment."""

from __future__ import annotations

import importlib
import os
import signal
import sys


def main() -> None:
    """Ends the process, with one line for whatever went wrong; a Ctrl-C is 130 from here to the last moment."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:  # ignored, as a shell does for a job in the background
        importlib.import_module("streams.cli.root").command(sys.argv[1:])()
        return
    signal.signal(signal.SIGINT, _leave)
    command = importlib.import_module("streams.cli.root").command(sys.argv[1:])
    signal.signal(signal.SIGINT, usual)
    try:
        command()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to be said while Python tidies up


def _leave(*_: object) -> None:
    """At once: an exception in the middle of an import can get lost, or show up as somebody else's."""
    os.write(2, b"tocsin: interrupted\n")
    os._exit(130)
