"""`make demo PROFILE=…`: the demo's story holds under the policy of every document."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PROFILES = ("sre-guide", "runbook", "sre-practices", "platform-v2", "operations-review")


def test_the_story_holds_under_every_profile(tmp_path: Path) -> None:
    """Two at a time: most of a story is waiting."""

    def told(profile: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], "TOCSIN_DATA_DIR": str(tmp_path / profile)}
        command = [sys.executable, "-m", "streams.cli", "demo", "--profile", profile]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)

    with ThreadPoolExecutor(2) as pool:
        stories = dict(zip(PROFILES, pool.map(told, PROFILES), strict=True))
    for profile, story in stories.items():
        assert story.returncode == 0, f"{profile}: {story.stdout}{story.stderr}"
        assert "the whole incident took" in story.stdout, profile
