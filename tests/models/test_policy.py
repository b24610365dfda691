"""Policy files: every fault names file and line, and what was meant."""

from __future__ import annotations

import pytest

from models.policy_file import PolicyError, parse_policy, policy_version, shipped_policy

DEFAULT = shipped_policy("default")


PROFILES = ["default", "operations-review", "platform-v2", "runbook", "sre-guide", "sre-practices"]


@pytest.mark.parametrize("name", PROFILES)
def test_every_shipped_policy_is_valid(name: str) -> None:
    assert parse_policy(shipped_policy(name), name).name == name


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("rounds: 3", "ruonds: 3", "escalation.ruonds: unknown key; did you mean 'rounds'?"),
        ("lasting: 15m", "lasting: 15 minutes", "'15 minutes' is not a duration; write it as 30s, 5m, 1h30m or 2d"),
        ("severity: SEV2, at_least", "severity: SEV9, at_least", "Input should be 'SEV1', 'SEV2', "),
        ("{1: P0, 2: P0, 3: P1}", "{1: P0, 2: P0}", "SEV1 has no priority for tier 3"),
        ("name: secondary", "name: primary", "the names must differ"),
        ("P1: [page, email, slack]", "P1: [page, fax]", "Input should be 'page', 'email', 'slack' or 'ticket'"),
        ("routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}", "routing_key: 0123456789abcdef}", "String should match pattern"),
        ("schema_version: 1", "schema_version: 2", "schema_version"),
        ("rounds: 3", "rounds: 3\n  rounds: 4", "this key stands twice"),
        ("people: {}", "people: {ana: {slack: '@ana'}}", "people.ana.slack"),
    ],
)
def test_a_fault_names_file_line_and_remedy(old: str, new: str, fault: str) -> None:
    assert old in DEFAULT
    broken = DEFAULT.replace(old, new, 1)
    line = next(number for number, text in enumerate(broken.splitlines(), 1) if text not in DEFAULT.splitlines())
    with pytest.raises(PolicyError) as caught:
        parse_policy(broken, "mine.yaml")
    faults = [text for text in str(caught.value).splitlines() if fault in text]
    assert faults, str(caught.value)
    if "has no priority" not in fault and "must differ" not in fault and "twice" not in fault:
        assert faults[0].startswith(f"mine.yaml:{line}: ")


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "42", "a: *b", "\t: x", "a: \x00"])
def test_what_is_no_policy_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^mine\.yaml(:\d+)?: "):
        parse_policy(text, "mine.yaml")


def test_a_priority_that_pages_needs_a_clock() -> None:
    broken = DEFAULT.replace("severity: {SEV1: 5m, SEV2: 5m, SEV3: 30m}", "severity: {}").replace(
        "{P0: 15m, P1: 1h, P2", "{P2"
    )
    with pytest.raises(PolicyError, match="pages but has no clock"):
        parse_policy(broken, "mine.yaml")


def test_the_version_follows_the_text() -> None:
    assert policy_version(DEFAULT) == policy_version(shipped_policy("default")) != policy_version(DEFAULT + "\n")


def test_an_unknown_shipped_policy_names_those_there_are() -> None:
    with pytest.raises(PolicyError, match=f"there are: {', '.join(PROFILES)};"):
        shipped_policy("nonsense")
