"""A peer never outlives the test run, however the run ends."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.peers.process import LEASH

# Says its own pid, then waits for ever: what a server looks like.
ENDLESS = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def test_what_was_started_ends_when_the_one_who_started_it_is_killed() -> None:
    command = [sys.executable, str(LEASH), sys.executable, "-c", ENDLESS]
    holder = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:], stdin=sys.stdin)", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    os.kill(child, 0)

    holder.kill()
    holder.stdin.close()
    assert holder.stdout.read() == b""  # the pipe closes only when the last of the family has gone
    holder.wait()
