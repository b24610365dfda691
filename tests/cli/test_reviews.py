"""What people owe after an incident, from a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.cli.reviews import due_at
from streams.clock import utc_now
from tests.cli.conftest import Operator, alert


def test_an_action_item_is_added_listed_and_done(operator: Operator) -> None:
    alert(operator)
    add = ("action-items", "add", "001", "Alert on the cache")
    said = operator.gets(*add, "--owner", "bob", "--due", "3d", "--priority", "p1")
    assert "for bob, due" in said
    short = said.split()[2]
    assert short in operator.gets("action-items", "list", "001")
    assert operator.gets("action-items", "list", "--owner", "carol") == "No action items.\n"
    assert operator.gets("action-items", "done", short) == "Done: Alert on the cache.\n"
    assert "Nothing to do: it was done" in operator.gets("action-items", "done", short)
    assert [item["title"] for item in operator.reads("action-items", "list", "--status", "done")] == [
        "Alert on the cache"
    ]
    assert "no action item begins" in operator.fails(5, "action-items", "done", "zzz")
    assert "write 2026-11-30" in operator.fails(2, *add, "--owner", "bob", "--due", "soon")


def test_a_postmortem_is_owed_and_completed(operator: Operator) -> None:
    alert(operator)
    assert "has no postmortem" in operator.fails(5, "postmortems", "complete", "001", "--url", "https://wiki.test/1")
    operator.gets("resolve", "001")
    assert "incident-commander" in operator.gets("postmortems")
    assert "write https://" in operator.fails(2, "postmortems", "complete", "001", "--url", "wiki")
    assert "is complete" in operator.gets("postmortems", "complete", "001", "--url", "https://wiki.test/1")
    assert operator.gets("postmortems", "list", "--status", "open") == "No postmortems.\n"


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("2026-11-30T17:00Z", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ("2026-11-30T17:00", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ("2026-11-30T17:00+02:00", datetime(2026, 11, 30, 15, tzinfo=UTC)),
        ("2026-11-30", datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_due_dates_are_utc_unless_they_say_otherwise(stated: str, meant: datetime) -> None:
    assert due_at(stated) == meant
    assert timedelta(hours=35) < due_at("1d12h") - utc_now() < timedelta(hours=37)
