"""kill -9 in the middle of a stream, and then the proof from the ledger that nothing was lost by it."""

from __future__ import annotations

import json

import pytest

from tests.stack.stack import Stack
from tests.stack.stream import Stream
from tests.stack.test_operator import types
from tests.waiting import eventually


@pytest.mark.slow
def test_after_kills_in_mid_stream_the_ledger_is_sound(another: Stack) -> None:
    another.start()
    with Stream(another).flowing() as stream:
        another.kill("worker")
        stream.passes(50)
        another.kill("database")
        stream.passes(50)
    stream.assert_each_paged_once(60)

    result = types(another, "verify", "--json")
    answer = json.loads(result.stdout)
    assert (answer["findings"], result.exit_code) == ([], 0)
    assert answer["incidents"] >= len(stream.accepted)
    assert "no findings" in types(another, "verify", "--since", "1h").stdout
    assert eventually(lambda: watched(another), within=90) == "0.0"


def watched(stack: Stack) -> str | None:
    """How many findings the watch of web has; None before its first look."""
    lines = stack.client.get("/metrics").text.splitlines()
    [count] = [line.split()[1] for line in lines if line.startswith("tocsin_verify_findings ")]
    return None if count == "NaN" else count
