"""`make demo PROFILE=…`: the demo's story holds under the policy of every document."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.mark.parametrize("profile", ["sre-guide", "runbook", "sre-practices", "platform-v2", "operations-review"])
def test_the_story_holds_under_every_profile(profile: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "TOCSIN_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "streams.cli", "demo", "--profile", profile]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "the whole incident took" in told.stdout
