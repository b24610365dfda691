"""Runs the command given as arguments for as long as standard input stays open, then ends it: SIGTERM, and SIGKILL
after ten seconds. Whoever holds the other end of the pipe may itself be killed with -9; nothing is left running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def hold(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock, held in this thread, would break the interpreter's end
            pass
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=end, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the test runner's to answer
    sys.exit(hold(sys.argv[1:]))
