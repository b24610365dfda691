"""Maintenance windows from a terminal. POLICY 21."""

from __future__ import annotations

from tests.cli.conftest import Operator, alert


def test_a_window_is_planned_listed_moved_and_ended(operator: Operator) -> None:
    assert operator.gets("maintenance") == "No maintenance is planned.\n"
    add = ("maintenance", "add", "Upgrade of the shop", "--service", "checkout", "--start", "2h", "--end", "3h")
    said = operator.gets(*add, "--idempotency-key", "k1")
    short = said.split()[1]
    assert said.startswith(f"Maintenance {short} of checkout: ")
    assert operator.gets(*add, "--idempotency-key", "k1") == said, "a repeat changes nothing"
    listed = operator.gets("maintenance", "list")
    assert listed.count(short) == 1
    assert "Upgrade of the shop" in listed
    assert "now ends" in operator.gets("maintenance", "end", short, "--at", "5h")
    assert "cancel" in operator.fails(2, "maintenance", "end", short)
    assert operator.gets("maintenance", "cancel", short) == f"Maintenance {short} is cancelled.\n"
    assert operator.gets("maintenance", "cancel", short) == "Nothing to do: it is cancelled.\n"
    assert operator.gets("maintenance", "list") == "No maintenance is planned.\n"
    assert [one["status"] for one in operator.reads("maintenance", "list", "--all")] == ["cancelled"]


def test_what_fires_meanwhile_is_counted_at_its_end(operator: Operator) -> None:
    short = operator.gets("maintenance", "add", "Upgrade", "--service", "checkout", "--end", "1h").split()[1]
    alert(operator, severity="page")
    assert "during maintenance “Upgrade”" in operator.gets("incidents", "timeline", "001")
    assert "is over; 1 incident fired" in operator.gets("maintenance", "end", short)
    assert "maintenance over" in operator.gets("incidents", "timeline", "001")


def test_what_cannot_be_is_refused_in_one_line(operator: Operator) -> None:
    add = ("maintenance", "add", "Upgrade")
    assert "--all-services" in operator.fails(2, *add, "--end", "1h")
    assert "--end" in operator.fails(2, *add, "--service", "checkout", "--end", "soon")
    assert "not after the start" in operator.fails(2, *add, "--all-services", "--start", "3h", "--end", "1h")
    assert "more than 7 d" in operator.fails(2, *add, "--all-services", "--end", "30d")
    assert "--start" in operator.fails(2, *add, "--all-services", "--start", "", "--end", "1h"), "empty is not now"
    assert "--at" in operator.fails(2, "maintenance", "end", "zzz", "--at", "")
    assert "no maintenance window begins" in operator.fails(5, "maintenance", "end", "zzz")
