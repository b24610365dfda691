"""`tocsin policy try` and `check`, and `tocsin explain`: the reasons, before and after it has happened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.policy_file import shipped_policy
from tests.cli.conftest import Operator, alert
from tests.web.world import webhook


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.json"
    path.write_text(json.dumps(webhook()))
    return path


def changed(file: Path, **labels: str) -> str:
    body = webhook()
    body["alerts"][0]["labels"] |= labels
    file.write_text(json.dumps(body))
    return str(file)


def test_what_a_webhook_would_do(lonely: Operator, file: Path) -> None:
    said = lonely.gets("policy", "try", changed(file, alertname="PostgresDown"))
    for words in (
        "-/shop/checkout/PostgresDown",
        "default, version",
        "SEV1",
        "P0",
        "database_down",
        "label severity=critical is SEV1",
        "SEV1 on a tier 2 service is P0",
        "checkout is not in the catalogue of services",
        "database_down has the checklist database-down",
        "P0 is told by page, slack",
        "to be acknowledged within 5 min of each page (SEV1 within 5 min, P0 within 15 min)",
        "pagerduty: pages primary",
        "slack: announcement to #incidents",
        "statuspage: publication",
        "somebody has to acknowledge by 20",
    ):
        assert words in said, said


def test_the_same_webhook_by_another_policy_and_at_another_time(lonely: Operator, file: Path) -> None:
    said = lonely.gets(
        "policy", "try", changed(file, severity="High"), "--policy", "sre-guide", "--at", "2026-03-02T03:00:00"
    )
    assert "SEV-2 (SEV2)" in said
    assert "P1 is told by email, slack" in said
    assert "nobody is woken; an answer is due: SEV2 within 1 h" in said
    assert "pages" not in said
    assert "stale at 2026-03-03 03:00:00 UTC" in said


def test_what_opens_nothing_is_said(lonely: Operator, file: Path) -> None:
    assert "logged, no incident is opened" in lonely.gets("policy", "try", changed(file, severity="none"))
    [outcome] = lonely.reads("policy", "try", changed(file, severity="none"))
    assert outcome["severity"] == "INFO"


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is no webhook of Alertmanager"), ('{"version": "3"}', "is no webhook of Alertmanager")],
)
def test_what_is_no_webhook_is_refused(lonely: Operator, file: Path, content: str, words: str) -> None:
    file.write_text(content)
    assert words in lonely.fails(1, "policy", "try", str(file))
    assert "cannot be read" in lonely.fails(2, "policy", "try", "/nowhere.json")
    assert "there are: default" in lonely.fails(2, "policy", "try", str(file), "--policy", "nonsense")


def test_what_can_never_work_fails_the_check_with_its_line(lonely: Operator, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = shipped_policy("default").replace("default: SEV3 #", "default: INFO #")
    path.write_text(text)
    line = next(number for number, said in enumerate(text.splitlines(), 1) if "default: INFO" in said)
    said = lonely.fails(1, "policy", "check", str(path))
    assert said.startswith(f"tocsin: {path}:{line}: an alert that no rule knows would be dropped")


def test_what_is_only_worth_a_look_is_a_warning(lonely: Operator, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        shipped_policy("default")
        .replace("people: {}", "people: {ana: {}}")
        .replace("sources: [{annotation: error_rate}]", "sources: [{query: up}]")
    )
    said = lonely.gets("policy", "check", str(path))
    assert "warning: " in said
    assert "there is no way to reach this person" in said
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY is not set" in said
    assert "TOCSIN_PROMETHEUS_URL is not set, so nobody can be asked for the error rate" in said
    assert len(lonely.reads("policy", "check", str(path))["warnings"]) == 5


def test_why_an_incident_is_what_it_is(operator: Operator) -> None:
    alert(operator, alertname="PostgresDown")
    operator.gets("severity", "001", "SEV2", "--reason", "a replica")
    operator.gets("resolve", "001", "--note", "failed over")
    said = operator.gets("explain", "001")
    for words in (
        "by policy default (version ",
        "opened as SEV1/P0",
        "label severity=critical is SEV1",
        "kind database_down: alertname=PostgresDown",
        "database_down is for the experts of database",
        "primary paged: opened",
        "became SEV2/P1 by alice",
        "a replica (alice)",
        "resolved by alice: failed over",
        "having been SEV1, it owes a postmortem by",
        "postmortem is due",
    ):
        assert words in said, said
    assert operator.reads("explain", "001")["policy"] == "default"
    assert "tocsin incidents list" in operator.fails(5, "explain", "042")
