"""The arithmetic of the benchmark; what it measures is not judged here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import Figures, flat, merged, percentile, ratio, spread, table
from tests.bench.webhooks import webhooks


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.floats(0.01, 100))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9
    assert sum(value < found for value in values) < max(1, len(values) * percent / 100)


def test_percentiles_by_nearest_rank() -> None:
    values = list(range(1, 1001))
    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (500, 990, 1000)
    assert spread([3.0, 1.0, 2.0], "claimed_") == {"claimed_p50_ms": 2.0, "claimed_p99_ms": 3.0, "claimed_max_ms": 3.0}
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_ratio_is_ours_over_the_floor_and_nothing_over_nothing_is_left_out() -> None:
    ours, floor = {"p50_ms": 9.0, "pages": 0, "only": 1}, {"p50_ms": 3, "pages": 0}
    assert ratio(ours, floor, {"p50": "p50_ms", "pages": "pages", "only": "only"}) == {"p50": 3.0}


def test_the_table_says_everything_once() -> None:
    sides: dict[str, Figures] = {"ours": {"seconds": 2.5, "cpu_s": {"web": 1.0}}, "floor": {"seconds": 1.25}}
    lines = table({"storm": sides})
    assert [line.split() for line in lines[1:]] == [["storm", "seconds", "2.50", "1.25", "2.00"], ["cpu_s.web", "1.00"]]
    assert flat(sides["ours"]) == {"seconds": 2.5, "cpu_s.web": 1.0}


def test_every_webhook_of_a_run_is_an_incident_of_its_own() -> None:
    first, second = webhooks("run", 2, alerts=3)
    assert (first.service, second.service) == ("run-000000", "run-000001")
    assert first.body != second.body
    assert first.body.count(b'"fingerprint"') == 3


def test_rounds_become_one() -> None:
    rounds: list[Figures] = [
        {"ms": (1.0, 3.0), "pages": 10, "seconds": 2.0, "cpu_s": {"web": 1.0}, "peak_mib": {"web": 50.0}},
        {"ms": (2.0, 4.0), "pages": 11, "seconds": 4.0, "cpu_s": {"web": 2.0}, "peak_mib": {"web": 51.0}},
    ]
    assert merged(rounds) == {
        "p50_ms": 2.0,
        "p99_ms": 4.0,
        "max_ms": 4.0,
        "pages": "10/11",
        "seconds": 3.0,
        "cpu_s": {"web": 1.5},
        "peak_mib_1": {"web": 50.0},
        "peak_mib_2": {"web": 51.0},
    }
