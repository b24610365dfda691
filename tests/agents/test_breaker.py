"""The circuit breaker: opens within seconds, probes with one, recovers by itself. POLICY 32."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, Breaker, Circuit, Pace

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def tripped() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(NOW)
    return breaker


def test_a_few_failures_do_not_open_it_and_a_success_forgets_them() -> None:
    breaker = Breaker()
    for _ in range(3 * FAILURES_TO_OPEN):
        breaker.failed(NOW)
        breaker.succeeded()
    assert breaker.allowance(NOW, 8) == 8


def test_failures_in_a_row_open_it() -> None:
    breaker = tripped()
    assert breaker.circuit is Circuit.OPEN
    assert breaker.allowance(NOW, 8) == 0


def test_after_the_pause_one_probe_passes_and_only_one() -> None:
    breaker = tripped()
    later = NOW + FIRST_PAUSE
    assert breaker.allowance(later, 8) == 1
    breaker.started()
    assert breaker.allowance(later + timedelta(hours=1), 8) == 0


def test_a_failed_probe_doubles_the_pause_up_to_its_limit() -> None:
    breaker, now = tripped(), NOW
    pauses = []
    for _ in range(8):
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker.started()
        breaker.failed(now)
    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_PAUSE
    assert pauses[-1] == LONGEST_PAUSE <= timedelta(seconds=30)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = tripped()
    breaker.started()
    breaker.succeeded()
    assert breaker.allowance(NOW, 8) == 8


def test_429s_halve_the_pace_and_successes_regain_it() -> None:
    pace = Pace(8)
    for expected in (4, 2, 1, 1):
        pace.slow_down()
        assert pace.width == expected
    for _ in range(20):
        pace.speed_up()
    assert pace.width == 8
