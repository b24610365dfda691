"""What is missing skips, and fails where it must not be missing."""

from __future__ import annotations

import pytest

from tests.peers.found import missing


@pytest.mark.parametrize("required", ["", "alertmanager", "kafka2,alertmanager"])
def test_what_nobody_requires_is_skipped_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, required: str
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_REQUIRE", required)
    with pytest.raises(pytest.skip.Exception) as skipped:
        missing("kafka", "make peers")
    assert skipped.value.msg == "kafka was not found; to enable: make peers"


@pytest.mark.parametrize("required", ["kafka", "alertmanager, kafka", "kafka,"])
def test_what_is_required_fails(monkeypatch: pytest.MonkeyPatch, required: str) -> None:
    monkeypatch.setenv("TOCSIN_TEST_REQUIRE", required)
    with pytest.raises(pytest.fail.Exception) as failed:
        missing("kafka", "make peers")
    assert failed.value.msg == "kafka was not found; to enable: make peers (TOCSIN_TEST_REQUIRE names it)"
