"""`tocsin oncall` and `tocsin oncall gaps`: who is on call, until when, and when nobody is. POLICY 11."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.policy_file import shipped_policy
from tests.cli.conftest import Operator
from tests.house.tree import ROOT
from tests.streams.test_calendars import ical

EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "oncall.md").read_text(), re.DOTALL)


@pytest.fixture
def documented(lonely: Operator, tmp_path: Path) -> Operator:
    """With the schedules that docs/oncall.md shows in force."""
    network = EXAMPLES[1].removeprefix("schedules:\n")
    example = EXAMPLES[0].replace("\ncalendars:", f"{network}\ncalendars:")
    file = tmp_path / "policy.yaml"
    file.write_text(shipped_policy("default").replace("people: {}", example))
    (tmp_path / "network.ics").write_text(ical("jonas"))
    lonely.env |= {"TOCSIN_POLICY": str(file), "TOCSIN_CALENDAR_NETWORK": str(tmp_path / "network.ics")}
    return lonely


def test_who_is_on_call_until_when_and_who_comes_then(documented: Operator) -> None:
    said = documented.gets("oncall", "--at", "2026-03-28T21:00+01:00", "--team", "database").splitlines()
    assert [cell.strip() for cell in re.split(r"\s{2,}", said[1])] == [
        "database",
        "database",
        "aiko",
        "Sat 2026-03-28 22:00 CET (21:00 UTC)",
        "noor",
    ]
    (night,) = documented.reads("oncall", "--at", "2026-03-29T00:00Z", "--team", "database")["schedules"]
    assert (night["people"], night["until"]) == (
        ["noor"],
        "2026-03-29T04:00:00+00:00",
    )  # an hour early: the clocks jump
    (database, network) = documented.reads("oncall", "--at", "2026-03-02T12:00Z")["schedules"]
    assert (database["people"], network["people"]) == (["aiko"], ["jonas"])
    assert network["until"] == "2026-03-03T08:00:00+00:00"


def test_an_override_is_in_force(documented: Operator) -> None:
    (found,) = documented.reads("oncall", "--schedule", "database", "--at", "2026-02-03T12:00+01:00")["schedules"]
    assert found["people"] == ["jonas"]


def test_gaps_are_told_and_end_with_one(documented: Operator) -> None:
    nowhere = documented.types("oncall", "gaps", "--from", "2026-03-02T12:00Z", "--days", "2")
    assert nowhere.exit_code == 1
    assert re.split(r"\s{2,}", nowhere.stdout.splitlines()[1]) == [
        "network",
        "Tue 2026-03-03 09:00 CET (08:00 UTC)",
        "Wed 2026-03-04 13:00 CET (12:00 UTC)",
        "28 h",
    ]
    covered = documented.gets("oncall", "gaps", "--team", "database", "--from", "2026-03-02T12:00Z")
    assert covered == "Somebody is on call at all times until 2026-04-01 12:00:00 UTC.\n"


def test_a_calendar_that_is_away_is_told_and_its_copy_holds(documented: Operator, tmp_path: Path) -> None:
    at = ("--at", "2026-03-02T12:00Z", "--schedule", "network")
    documented.gets("oncall", *at)
    (tmp_path / "network.ics").unlink()
    result = documented.types("oncall", *at)
    assert result.exit_code == 0
    assert "jonas" in result.stdout
    assert "TOCSIN_CALENDAR_NETWORK: its file cannot be read: No such file" in result.stderr
    assert "going by the copy that was fetched" in result.stderr


def test_events_that_name_nobody_are_told(documented: Operator, tmp_path: Path) -> None:
    (tmp_path / "network.ics").write_text(ical("Zoe"))
    result = documented.types("oncall", "--at", "2026-03-02T12:00Z", "--schedule", "network")
    assert "events that name nobody in people: 'Zoe'" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        (("--team", "web"), 5, "the policy has no team 'web'; it has: database"),
        (("--schedule", "web"), 5, "the policy has no schedule 'web'; it has: database, network"),
        (("--team", "database", "--schedule", "network"), 2, "is not the schedule of 'database'"),
        (("--at", "tomorrow"), 2, "'tomorrow' is not a time"),
    ],
)
def test_what_is_not_there_is_one_line(documented: Operator, words: tuple[str, ...], code: int, fault: str) -> None:
    assert fault in documented.fails(code, "oncall", *words)


def test_a_policy_without_schedules(lonely: Operator) -> None:
    assert "no schedules" in lonely.gets("oncall")
    assert "no schedules" in lonely.gets("oncall", "gaps")


def test_the_doctor_knows_what_a_policy_names(documented: Operator) -> None:
    documented.env["TOCSIN_PAGERDUTY_ROUTING_KEY_MARIA"] = "s3cr3t"
    said = documented.types("doctor").stdout
    assert "nothing reads it" not in said
