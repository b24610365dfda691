"""What can never work in an escalation, found before anybody has to be woken."""

from __future__ import annotations

import pytest

from models.escalation_findings import escalation_findings
from models.policy_file import PolicyError, parse_policy, shipped_policy
from models.ways import Way, only_by, ways
from tests.models.test_policy import PROFILES
from tests.scenarios.oncall import PEOPLE, policy
from tests.world import T0

NOC = "{name: noc, routing_key: TOCSIN_KEY_NOC}"


def found(text: str) -> list[tuple[str, bool]]:
    return [(one.text, one.fault) for one in escalation_findings(parse_policy(text, "mine.yaml"), T0)]


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_is_wrong_with_a_shipped_policy(name: str) -> None:
    assert found(shipped_policy(name)) == []


@pytest.mark.parametrize(
    ("level", "reaches"),
    [
        ("{name: x, targets: [{schedule: later}]}", False),
        ("{name: x, targets: [{person: eva}]}", False),
        ("{name: x, targets: [{person: dora}]}", True),
        ("{name: x, targets: [{email: noc@example.test}]}", True),
        ("{name: x, targets: [{webhook: TOCSIN_NOC_WEBHOOK}]}", True),
        ("{name: x, targets: [{schedule: days}]}", True),
        ("{name: x, targets: [{schedule: elsewhere}]}", True),
        ("{name: x, targets: [{person: cleo}]}", True),
        ("{name: x, routing_key: TOCSIN_KEY_NOC, targets: [{person: dora}]}", True),
        ("{name: x, targets: [{team: network}]}", True),
    ],
)
def test_a_level_that_nobody_is_on_is_a_fault(level: str, *, reaches: bool) -> None:
    people = PEOPLE.replace("teams:", "  eva: {}\nteams:")
    faults = [text for text, fault in found(policy(level, NOC, people=people)) if fault]
    assert (faults == []) is reaches
    assert reaches or faults[0].startswith("x pages nobody")


def test_gaps_within_thirty_days_are_told() -> None:
    told = [text for text, fault in found(policy(NOC)) if not fault]
    assert "nobody is on call from 2026-03-02 03:00 UTC for 5 h, and 30 times more within 30 days" in told


def test_experts_and_owners_that_nobody_knows_are_told() -> None:
    told = found(policy(NOC, services="{checkout: {owner: paymets, experts: [zoe]}}"))
    assert ("'zoe' is no team, schedule or person, so this expert is not called", False) in told
    assert ("its owner 'paymets' is not in teams", False) in told


def test_a_chain_without_any_key_is_a_fault() -> None:
    people = "people: {cleo: {slack: U0CLEO}}\n"
    told = found(policy("{name: cleo, targets: [{person: cleo}]}", people=people))
    assert told[0] == ("no level, team or person has a PagerDuty key: nobody would ever be paged", True)


@pytest.mark.parametrize(
    ("level", "fault"),
    [
        ("{name: x, targets: [{person: anna}]}", "person: 'anna' is not in people; did you mean 'ana'?"),
        ("{name: x, targets: [{schedule: paymets}]}", "'paymets' is not in schedules; did you mean 'payments'?"),
        ("{name: x, targets: [{team: web}]}", "'web' is not in teams"),
        ("{name: x, targets: [{person: ana, team: network}]}", "a target is one of person, schedule, team"),
        ("{name: x, targets: [{}]}", "a target is one of person, schedule, team"),
        ("{name: x}", "this level pages nobody; give it targets"),
        ("{name: x, targets: [{persn: ana}]}", "unknown key; did you mean 'person'?"),
    ],
)
def test_what_is_wrong_with_a_level_is_told_with_its_line(level: str, fault: str) -> None:
    text = policy(level, NOC)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if one.endswith(level))
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml:{line}: escalation.levels.0")
    assert fault in str(caught.value)


@pytest.mark.parametrize("target", ["{email: noc@example.test}", "{webhook: TOCSIN_NOC_WEBHOOK}"])
def test_a_chain_of_addresses_needs_no_key(target: str) -> None:
    assert found(policy(f"{{name: x, targets: [{target}]}}", people="people: {}\n")) == []


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("{email: noc}", "'noc' is not an e-mail address"),
        ("{webhook: 'https://noc.example.test/hook'}", "TOCSIN_"),
        ("{webhook: NOC_WEBHOOK}", "TOCSIN_"),
        ("{email: noc@example.test, webhook: TOCSIN_NOC_WEBHOOK}", "a target is one of"),
    ],
)
def test_an_address_or_variable_that_is_none_is_told_with_its_line(target: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=rf"mine\.yaml:\d+: .*{fault}"):
        parse_policy(policy(f"{{name: x, targets: [{target}]}}"), "mine.yaml")


def test_a_service_cannot_name_a_chain_that_is_not_there() -> None:
    with pytest.raises(PolicyError, match=r"services\.checkout\.escalation: 'paymets' is not in escalations"):
        parse_policy(policy(NOC, services="{checkout: {escalation: paymets}}", people=PEOPLE), "mine.yaml")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("{name: x, targets: [{person: ana}, {person: cleo}]}", {"ana": "pager", "cleo": "slack"}),
        ("{name: x, targets: [{person: ben}]}", {"ben": "none"}),
        ("{name: x, targets: [{person: dora}]}", {"dora": "email"}),
        ("{name: x, targets: [{email: noc@example.test}]}", {"noc@example.test": "email"}),
        ("{name: x, targets: [{webhook: TOCSIN_KEY_ANA}]}", {"TOCSIN_KEY_ANA": "webhook"}),
        ("{name: x, targets: [{webhook: TOCSIN_NOC_WEBHOOK}]}", {"TOCSIN_NOC_WEBHOOK": "none"}),
        ("{name: x, targets: [{slack_group: S0OPS}]}", {"S0OPS": "slack"}),
        ("{name: x, routing_key: TOCSIN_KEY_ANA, targets: [{person: cleo}]}", {"cleo": "pager"}),
        ("{name: x, routing_key: TOCSIN_KEY_ANA}", {"TOCSIN_KEY_ANA": "pager"}),
        ("{name: x, targets: [{schedule: days}]}", {"cleo": "slack"}),
        ("{name: x, targets: [{schedule: elsewhere}]}", {}),
        ("{name: x, targets: [{team: network}]}", {"cleo": "slack", "ben": "none"}),
        ("{name: x, targets: [{team: payments}]}", {"ana": "pager", "ben": "none"}),
        ("{name: x, all_hands: true}", {"ana": "pager", "ben": "none", "cleo": "slack"}),
    ],
)
def test_by_which_way_a_level_reaches_its_people(level: str, expected: dict[str, str]) -> None:
    known = parse_policy(policy(level), "mine.yaml")
    assert ways(known.escalation.levels[0], known, {"TOCSIN_KEY_ANA"}) == expected


def test_levels_whom_slack_alone_reaches() -> None:
    known = parse_policy(
        policy(
            "{name: a, targets: [{person: cleo}]}", "{name: b, targets: [{person: ana}, {slack_group: S0OPS}]}", NOC
        ),
        "mine.yaml",
    )
    slack: tuple[Way, ...] = ("slack",)
    found_ = [(level.name, [*people], whole) for level, people, whole in only_by(slack, known, {"TOCSIN_KEY_ANA"})]
    assert found_ == [("a", ["cleo"], True), ("b", ["S0OPS"], False)]
