"""Stories of people who answer incidents at a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from streams.cli import output
from streams.clock import utc_now
from tests.cli.conftest import Operator, alert
from tests.web.world import World


def number(tail: str) -> str:
    return f"INC-{utc_now():%Y-%m%d}-{tail}"


def test_an_alert_is_taken_told_about_and_resolved(operator: Operator) -> None:
    alert(operator)
    listed = operator.gets("incidents")
    assert "SEV1" in listed
    assert "triggered" in listed
    assert "HighErrorRate" in operator.gets("incidents", "show", "001")

    assert operator.gets("ack", "001") == f"{number('001')} acknowledged by alice; nobody else is paged for it.\n"
    assert operator.gets("ack", "1", "--by", "bob").startswith(
        f"Nothing to do: {number('001')} was acknowledged by alice"
    )
    assert "updated (identified)" in operator.gets("update", "001", "It is the cache", "--stage", "identified")
    assert f"{number('001')} is now SEV2/" in operator.gets("severity", "001", "sev2", "--reason", "partly")
    assert operator.gets("assign", "001", "scribe", "bob") == f"{number('001')}: bob is scribe.\n"
    assert "nobody is scribe" in operator.gets("assign", "001", "scribe", "--release")
    assert "say --release" in operator.fails(2, "assign", "001", "scribe")
    assert "Its postmortem is due" in operator.gets("resolve", "001", "--note", "cache restarted")
    assert "was resolved by alice" in operator.gets("resolve", "001")
    assert "so this was not done" in operator.fails(1, "update", "001", "It is the cache after all")

    told = operator.gets("incidents", "timeline", "001")
    for sentence in (
        "primary (page 1, opened",
        "by alice via cli",
        "alice, identified: It is the cache",
        ": cache restarted",
    ):
        assert sentence in told
    assert operator.gets("incidents", "list", "--open") == "No such incidents.\n"


def test_a_checklist_is_read_and_ticked(operator: Operator) -> None:
    alert(operator, alertname="PostgresDown")
    said = operator.gets("checklist", "001", "--tick", "1", "--tick", "2")
    assert f"{number('001')}, checklist database-down: 2 of 13 done" in said
    assert "1     immediate      alice    Judge the severity" in said
    assert "1 of 13 done" in operator.gets("checklist", "001", "--untick", "2")
    assert "its steps are 1 to 13" in operator.fails(2, "checklist", "001", "--tick", "14")
    assert "Judge the severity, and freeze deployments (immediate), by alice" in operator.gets(
        "incidents", "timeline", "001"
    )


def test_incidents_are_merged_split_and_frozen(operator: Operator) -> None:
    for title in ("Checkout is down", "Nothing can be bought"):
        operator.gets("declare", title, "--severity", "SEV1")
    merged = f"{number('002')} is attached to {number('001')}, which pages for both.\n"
    assert operator.gets("merge", "002", "001") == merged
    already = f"Nothing to do: {number('002')} is attached to {number('001')} already.\n"
    assert operator.gets("merge", "002", "001") == already
    assert number("002") in operator.gets("incidents", "list", "--of", number("001"))
    assert "which pages for both" in operator.gets("incidents", "show", "002")
    assert operator.gets("split", "002") == f"{number('002')} is on its own again; primary is paged.\n"
    assert operator.gets("split", "002") == f"Nothing to do: {number('002')} is attached to nothing.\n"
    assert "takes no more alerts" in operator.gets("freeze", "002")
    assert f"Nothing to do: {number('002')} takes no more alerts" in operator.gets("freeze", "002")
    assert f"Nothing to do: {number('002')}: nobody is scribe already" in operator.gets(
        "assign", "002", "scribe", "--release"
    )
    assert "`tocsin incidents show 002`" in operator.types("incidents", "002").stderr
    assert "takes alerts again" in operator.gets("freeze", "002", "--undo")
    assert "On its own again: split by alice" in operator.gets("incidents", "timeline", "002")
    assert "Frozen by alice" in operator.gets("explain", "002")


def test_an_incident_is_declared_and_escalated(operator: Operator) -> None:
    said = operator.types("declare", "Checkout hangs", "--severity", "SEV1", "--service", "checkout", "--tier", "1")
    assert said.stdout == f"{number('001')} declared: SEV1/P0, primary is paged.\n"
    assert "so nobody is paged; see `tocsin doctor`" in said.stderr, "a person must not believe it where nobody is"
    assert "escalated: secondary is paged" in operator.gets("escalate", number("001").lower())
    assert "manager is paged" in operator.gets("escalate", "001", "--level", "manager")
    assert "; it has: primary, secondary, manager\n" in operator.fails(2, "escalate", "001", "--level", "nobody")
    assert operator.reads("incidents", "show", "001")["acknowledged_at"] is None


def test_a_repeated_declaration_with_one_key_declares_once(operator: Operator) -> None:
    once = ("declare", "Backup failed", "--severity", "SEV3", "--idempotency-key", "backup-2026-11-21")
    first, second = operator.reads(*once), operator.reads(*once)
    assert first["incident"]["number"] == second["incident"]["number"]
    assert len(operator.reads("incidents", "list")) == 1


def test_a_tail_names_an_incident_of_today_or_still_open_and_never_one_of_two(operator: Operator, world: World) -> None:
    alert(operator)
    alert(operator, alertname="DiskFull")
    yesterday = f"INC-{utc_now() - timedelta(days=1):%Y-%m%d}"
    states = world.store.incidents_by_id
    by_number = {one.number: incident_id for incident_id, one in states.items()}
    second = by_number[number("002")]
    states[second] = replace(states[second], number=f"{yesterday}-007")
    assert f"{yesterday}-007 acknowledged" in operator.gets("ack", "007")

    states[second] = replace(states[second], number=f"{yesterday}-001")
    assert f"could be {yesterday}-001 or {number('001')}" in operator.fails(2, "ack", "001")
    assert f"{number('001')} acknowledged" in operator.gets("ack", number("001").removeprefix("INC-2026-"))
    operator.gets("resolve", f"{yesterday}-001")
    assert operator.gets("resolve", "001").startswith(number("001"))


@pytest.mark.parametrize("given", ["042", "INC-1999-0101-001", "../../metrics", "nonsense", "\x00", "%2e%2e", ""])
def test_what_names_no_incident_is_not_found(operator: Operator, given: str) -> None:
    assert "tocsin incidents list" in operator.fails(5, "incidents", "show", given)


def test_text_of_an_alert_cannot_steer_the_terminal(operator: Operator) -> None:
    alert(operator, alertname="\x1b[2J\x1b]0;owned\x07Evil\r\nINC-0000 faked")
    for command in (("incidents",), ("incidents", "show", "001"), ("incidents", "timeline", "001")):
        said = operator.gets(*command)
        assert "Evil" in said
        assert not any(character in said for character in "\x1b\x07\r")
        assert not any(line.startswith("INC-0000") for line in said.splitlines())
    assert "\x1b" not in operator.gets("incidents", "list", "--json")


def test_a_list_is_continued_over_the_pages_of_the_api(operator: Operator, world: World) -> None:
    alert(operator)
    [one] = world.store.incidents_by_id.values()
    for ordinal in range(2, 460):
        made = replace(one, number=number(f"{ordinal:03}"), id=UUID(int=ordinal), key=f"{one.key}/{ordinal}")
        world.store.incidents_by_id[made.id] = made
    assert len(operator.reads("incidents", "list", "--limit", "450")) == 450
    assert len(operator.reads("incidents", "list")) == 50
    assert number("459") in operator.gets("incidents", "show", "459")


def test_deliveries_and_deadlines_of_an_incident(operator: Operator) -> None:
    alert(operator)
    assert "page to primary" in operator.gets("deliveries", "001")
    [first, *_] = operator.reads("deliveries")
    assert first["id"] in operator.gets("deliveries", first["id"])
    assert "acknowledge" in operator.gets("deadlines")
    operator.gets("ack", "001")
    assert "cancelled" in operator.gets("deadlines", "001")


def test_a_test_page_is_followed_until_somebody_knows_how_it_went(operator: Operator) -> None:
    assert "add --test" in operator.fails(2, "page")
    assert "; it has: primary" in operator.fails(2, "page", "--test", "--level", "nobody")
    assert "; it has: default" in operator.fails(2, "page", "--test", "--chain", "nowhere").lower()
    assert "the catalogue has no service" in operator.fails(2, "page", "--test", "--service", "nowhere")
    result = operator.types("page", "--test", "--level", "secondary", "--wait", "0.1")
    assert result.exit_code == 6
    assert "A test page to secondary is on its way" in result.stdout
    assert "nobody is paged" in result.stderr
    assert "the page is pending" in result.stderr


def test_times_are_relative_in_one_unit_that_fits() -> None:
    spans = {timedelta(seconds=5): "5 s", timedelta(minutes=4): "4 min", timedelta(hours=2, minutes=5): "2 h 5 min"}
    for span, words in spans.items():
        assert output.relative(utc_now() - span - timedelta(milliseconds=200)) == f"{words} ago"
        assert output.relative(utc_now() + span + timedelta(milliseconds=900)) == f"in {words}"


def test_an_incident_is_reassigned(operator: Operator) -> None:
    alert(operator)
    assert "by that policy and chain already" in operator.gets("reassign", "001")
    assert "chain default; primary was paged last." in operator.gets("reassign", "001", "--chain", "default")
    assert "chain default, by alice" in operator.gets("incidents", "timeline", "001")
    assert "it has: default" in operator.fails(2, "reassign", "001", "--chain", "nowhere").lower()
    operator.gets("resolve", "001")
    assert "was resolved by alice" in operator.fails(1, "reassign", "001")
