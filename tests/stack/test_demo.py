"""`make demo`, for real. That its story holds under every profile is told in memory: tests/streams/test_demo.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_PROXY_THERE

pytestmark = pytest.mark.slow

STEPS = (
    "primary is paged", "secondary is paged", "sam  acknowledges", "investigating", "identified", "resolved by",
    "postmortem deadline set", "everything has stopped cleanly",
)  # fmt: skip


def test_the_demo_tells_a_whole_incident_in_less_than_a_minute(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "TOCSIN_DATA_DIR": str(tmp_path), "HTTP_PROXY": NO_PROXY_THERE}
    command = [sys.executable, "-m", "streams.cli", "demo"]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    places = [told.stdout.find(step) for step in STEPS]
    assert places == sorted(places)
    assert min(places) > 0, told.stdout
    [took] = re.findall(r"the whole incident took (\d+) s", told.stdout)
    assert int(took) < 60
    assert list(tmp_path.iterdir()) == [], "it tidies up"
