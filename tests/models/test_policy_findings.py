"""What can never work is found: rules that nothing reaches, and incidents that would wake nobody."""

from __future__ import annotations

import pytest

from models.policy_file import parse_policy, place_of, shipped_policy
from models.policy_findings import findings

DEFAULT = shipped_policy("default")


@pytest.mark.parametrize(
    "name", ["default", "sre-guide", "runbook", "sre-practices", "platform-v2", "operations-review"]
)
def test_every_profile_can_work(name: str) -> None:
    assert findings(parse_policy(shipped_policy(name), name)) == []


@pytest.mark.parametrize(
    ("old", "new", "said", "fault"),
    [
        ("{severity: SEV3, at_least: 0.05, lasting: 15m}", "{severity: SEV3, above: 0.5, lasting: 15m}",
         "never decides: SEV1 from 50% on speaks as soon, and is no milder than SEV3", True),
        ("{severity: SEV3, at_least: 0.05, lasting: 15m}", "{severity: SEV3, at_least: 25, lasting: 15m}",
         "no error rate is that high; 25% is written 0.25", True),
        ("    sources: [{annotation: burn_rate}]\n", "    sources: []\n", "no source says where the burn rate", True),
        ("default: SEV3 #", "default: INFO #", "an alert that no rule knows would be dropped", True),
        ("- name: cache", "- name: disk_full", "disk_full stands before", True),
        ("P0: [page, slack]\n  P1: [page, email, slack]", "P0: [slack]\n  P1: [slack]",
         "nobody would ever be woken", True),
        ("SEV1: {1: P0, 2: P0, 3: P1}", "SEV1: {1: P0, 2: P0, 3: P2}", "SEV1 on a tier 3 service is P2", False),
        ("severity: {SEV1: 5m, SEV2: 5m", "severity: {SEV1: 10s, SEV2: 5m",
         "given up 90 s after the first page", False),
        ("_ROUTING_KEY_SECONDARY}", "_ROUTING_KEY}", None, False),
        ("services: {}", "services: {shop: {dependencies: [databse]}, database: {}}",
         "services has no databse; did you mean 'database'?", False),
        ("services: {}", "services: {shop: {dependencies: [search]}}",
         "services has no search; it counts only if alerts name it so", False),
        ("services: {}", "services: {shop: {dependencies: [shop]}}", "shop cannot depend on itself", False),
        ("people: {}", "people: {ana: {}}", "no way to reach this person", False),
    ],
)  # fmt: skip
def test_what_can_never_work_is_found(old: str, new: str, said: str | None, fault: bool) -> None:  # noqa: FBT001 (a column)
    assert old in DEFAULT
    text = DEFAULT.replace(old, new, 1)
    found = findings(parse_policy(text, "mine.yaml"))
    if said is None:
        assert found == []
        return
    assert [(one.fault, said in one.text) for one in found if said in one.text] == [(fault, True)], found
    (one,) = [one for one in found if said in one.text]
    before, after = DEFAULT.splitlines(), text.splitlines()
    changed = next(number for number, (was, now) in enumerate(zip(before, after, strict=False), 1) if was != now)
    line = int(place_of(one.path, text, "mine.yaml").removeprefix("mine.yaml:"))
    assert abs(line - changed) <= 9
