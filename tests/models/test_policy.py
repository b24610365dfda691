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
        ("severity: SEV2, at_least", "severity: SEV9, at_least", "'SEV9' is not known here; write 'SEV1', 'SEV2', "),
        ("{1: P0, 2: P0, 3: P1}", "{1: P0, 2: P0}", "SEV1 has no priority for tier 3"),
        ("name: secondary", "name: primary", "the names must differ"),
        (
            "P1: [page, email, slack]",
            "P1: [page, fax]",
            "'fax' is not known here; write 'page', 'email', 'slack' or 'ticket'",
        ),
        (
            "routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}",
            "routing_key: 0123456789abcdef}",
            "the name of an environment variable",
        ),
        ("schema_version: 1", "schema_version: 2", "schema_version"),
        ("P1: [page, email, slack]", "P1: page", "channels.P1: a list belongs here; write it as [one, another]"),
        ("storm: {incidents: 30", "storm: {incidents: 1", "correlation.storm.incidents: it must be at least 2"),
        ("above: 0.50}", "above: 50%}", "a number belongs here; 25% is written 0.25"),
        ('slack_channel: "#incidents"', "slack_channel: incidents", "a Slack channel is written in quotes"),
        ("heartbeats: []", "heartbeats: [{name: a, within: 10s}]", "heartbeats.0.within: it must be at least 1 min"),
        ("rounds: 3", "rounds: 3\n  rounds: 4", "this key stands twice"),
        ("calm: 30m", "calm: 3s", "flapping.calm: it must be at least 1 min"),
        ("people: {}", "people: {ana: {slack: '@ana'}}", "people.ana.slack"),
        ("people: {}", "people: {ana: {pagerduty: 0123456789abcdef}}", "people.ana.pagerduty: the name of an env"),
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


def test_one_mistake_is_said_once() -> None:
    broken = DEFAULT.replace('{alertname: ".*(cache|redis|memcached).*"}', '{alertname: ".*(cache"}', 1)
    with pytest.raises(PolicyError) as caught:
        parse_policy(broken, "mine.yaml")
    (fault,) = str(caught.value).splitlines()
    assert "'.*(cache' is not a regular expression" in fault


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


ON_CALL = """
people: {ana: {email: ana@example.test}, ben: {}}
schedules:
  primary:
    zone: Europe/Berlin
    layers:
      - name: week
        start: 2026-01-05 09:00
        people:
          - ana
          - bne
    overrides:
      - {from: 2026-02-02 09:00, to: 2026-02-03 09:00, who: zoe}
"""


def test_unknown_people_in_a_schedule_are_told_one_by_one_with_their_lines() -> None:
    text = DEFAULT.replace("people: {}", ON_CALL)
    line = text.splitlines().index("          - bne") + 1
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "mine.yaml")
    assert str(caught.value).splitlines() == [
        f"mine.yaml:{line}: schedules.primary.layers.0.people.1: 'bne' is not in people; did you mean 'ben'?",
        f"mine.yaml:{line + 2}: schedules.primary.overrides.0.who: 'zoe' is not in people; add it there",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Europe/Berlin", "Berlin", "schedules.primary.zone: 'Berlin' is not a time zone; did you mean"),
        ("2026-01-05 09:00", "2026-01-05T09:00Z", "start: '2026-01-05T09:00Z' has an offset"),
        ("2026-01-05 09:00", "soon", "start: 'soon' is not a local time; write it as 2026-03-29 09:00"),
        ("name: week", "name: week\n        every: 90m", "every: '90m' is no length of a turn"),
        ("name: week", "name: week\n        evry: 1w", "evry: unknown key; did you mean 'every'?"),
        ("name: week", "name: week\n        end: 2026-01-05 08:00", "end: it is not after start"),
        ("to: 2026-02-03", "to: 2026-02-01", "to: it is not after from"),
        (
            "schedules:",
            "teams: {web: {lead: anna}}\nschedules:",
            "web.lead: 'anna' is not in people; did you mean 'ana'?",
        ),
        ("schedules:", "teams: {web: {calendar: berlin}}\nschedules:", "'berlin' is not in calendars; add it there"),
        ("from: 2026-02-02", "form: 2026-02-02", "form: unknown key; did you mean 'from'?"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(old: str, new: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=r"^mine\.yaml:\d\d+: ") as caught:
        parse_policy(DEFAULT.replace("people: {}", ON_CALL.replace(old, new)), "mine.yaml")
    assert fault in str(caught.value)
