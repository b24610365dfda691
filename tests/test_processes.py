"""A process of `tocsin up` whose event loop is blocked: it ends all the same when its supervisor is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from streams.processes import SUPERVISED
from tests.waiting import eventually, side_by_side


def test_a_blocked_process_does_not_outlive_its_supervisor(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("web", "worker")]
    for folder in folders:
        folder.mkdir()
    side_by_side(_is_orphaned, folders)


def _is_orphaned(folder: Path) -> None:
    """The process that the folder is named after."""
    policy = folder / "policy.yaml"
    os.mkfifo(policy)  # whoever reads it waits for a word that never comes, and its event loop with it
    environ = {
        **{variable: value for variable, value in os.environ.items() if not variable.startswith("TOCSIN_")},
        SUPERVISED: "1",
        "TOCSIN_POLICY": str(policy),
        "TOCSIN_DATA_DIR": str(folder / "data"),
        "TOCSIN_KAFKA": "127.0.0.1:1",
        "TOCSIN_DATABASE_URL": "postgresql://tocsin@127.0.0.1:1/tocsin",
    }
    process = subprocess.Popen([sys.executable, "-m", "streams.serve", folder.name], env=environ, stdin=subprocess.PIPE)
    try:
        with os.fdopen(eventually(lambda: writing_end(policy)), "w"):
            process.communicate(timeout=15)  # what the supervisor's death does: the pipe is closed
        assert process.returncode == 1
    finally:
        process.kill()
        process.wait()


def writing_end(fifo: Path) -> int | None:
    """None until somebody reads it."""
    with contextlib.suppress(OSError):
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    return None
