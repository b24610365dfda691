"""kill -9 of any process, or of all, in the middle of a stream of webhooks: nothing accepted is lost or paged twice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.stack.stack import Stack
from tests.stack.stream import Stream
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("running", ["embedded"], indirect=True)

GOES_ON_WITHIN = 15.0
"""Seconds until a webhook is accepted again. It takes two or three on an idle machine; this one is shared."""


@pytest.mark.parametrize("victim", ["worker", "web", "broker", "database"])
def test_a_killed_process_comes_back_and_nothing_is_lost(stack: Stack, victim: str) -> None:
    with Stream(stack).flowing() as stream:
        stack.kill(victim)
        stream.passes(50, within=GOES_ON_WITHIN)
    stream.assert_each_paged_once()


def _supervisor(stack: Stack) -> None:
    stack.kill_supervisor()


def _everything(stack: Stack) -> None:
    stack.kill_everything()


@pytest.mark.parametrize("kill", [_supervisor, _everything])
def test_a_killed_up_is_started_again_and_nothing_is_lost(stack: Stack, kill: Callable[[Stack], None]) -> None:
    with Stream(stack).flowing() as stream:
        kill(stack)
        stack.start()
        stream.passes(50, within=GOES_ON_WITHIN)
    stream.assert_each_paged_once()


def test_a_second_worker_shares_the_work_and_its_death_is_taken_over(stack: Stack) -> None:
    second = stack.command("streams.cli", "worker", log="second-worker.log")
    with Stream(stack).flowing() as stream:
        eventually(lambda: "partitions" in second.output() or "ready" in second.output(), within=20)
        stream.passes(50)
        second.leash.kill()
        began = time.monotonic()
        stream.passes(50)
    stream.assert_each_paged_once(within=25)
    assert time.monotonic() - began < 25
