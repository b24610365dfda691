"""Fixtures that every test may ask for. Real peers skip, or fail where required (tests/peers/found.py)."""

import os

import pytest
from hypothesis import settings

pytest_plugins = (
    "tests.peers.alertmanager",
    "tests.peers.browser",
    "tests.peers.certificate",
    "tests.peers.kafka",
    "tests.postgres",
)

settings.register_profile("tocsin", deadline=None)  # how long a machine takes is no property of ours
settings.load_profile("tocsin")

ALL = """make test ARGS='-m "slow or not slow"'"""
NO_PROXY_THERE = "http://127.0.0.1:9"


def pytest_configure() -> None:
    """Every test runs as on a machine with a proxy, which leads nowhere: what speaks with this machine goes past it."""
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    os.environ |= {"HTTP_PROXY": NO_PROXY_THERE, "http_proxy": NO_PROXY_THERE}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was left out, and how it is not."""
    left_out = [item for item in terminalreporter.stats.get("deselected", ()) if item.get_closest_marker("slow")]
    if left_out:
        terminalreporter.write_line(f"{len(left_out)} slow tests were left out; to enable: {ALL}")
