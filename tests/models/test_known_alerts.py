"""What an incident remembers of its alerts is bounded by what fires, and loses no count. docs/decisions/0017."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.alert import Alert
from models.known_alerts import REMEMBERED, KnownAlerts
from tests.world import World

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def alert(fingerprint: str, at: datetime = T0) -> Alert:
    return Alert(fingerprint, "firing", at, {}, {})


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60), st.booleans()), max_size=40))
def test_the_memory_is_bounded_and_the_counts_are_right(reports: list[tuple[int, int, bool]]) -> None:
    """Each report is (first alert, how many, firing or resolved); alerts are numbered, and reports a minute apart."""
    known, firing, joins, biggest = KnownAlerts(), set[str](), set[str](), 0
    for minute, (first, size, fires) in enumerate(reports):
        prints = {str(number) for number in range(first, first + size)}
        at = T0 + timedelta(minutes=minute)
        if fires:
            known, firing, joins = known.joined(map(alert, prints), "g", at), firing | prints, joins | prints
        else:
            ended = set(known.ended_by(prints, None, at))
            assert ended == firing & prints
            known, firing, biggest = known.resolved(ended, at), firing - prints, max(biggest, len(ended))
        assert set(known.firing) == firing
        assert len(known.states) <= len(firing) + REMEMBERED + biggest
        assert known.count >= len(joins)
        assert known.count == len(known.states) + known.forgotten


def test_an_incident_of_weeks_does_not_grow_with_the_pods_that_come_and_go() -> None:
    world = World()
    world.alert(pods=["steady"])
    for number in range(3 * REMEMBERED):
        world.now += timedelta(minutes=10)
        world.alert(pods=[f"pod-{number}"], group="g2", started=world.now)
        world.alert(pods=[f"pod-{number}"], group="g2", status="resolved", started=world.now)
    assert world.incident.is_open
    assert len(world.incident.alerts.states) == REMEMBERED + 1
    assert world.incident.alerts.count == 3 * REMEMBERED + 1
    facts = next(one.incident for one in reversed(world.sent) if one.incident)
    assert (facts.firing, facts.alerts) == (1, 3 * REMEMBERED + 1)


def test_a_group_that_resolves_at_once_is_remembered_as_a_whole() -> None:
    prints = [str(number) for number in range(5 * REMEMBERED)]
    known = KnownAlerts().joined(map(alert, prints), "g", T0).resolved(prints, T0 + timedelta(minutes=1))
    assert all(known.overrules(alert(fingerprint), T0 + timedelta(seconds=30)) for fingerprint in prints)
