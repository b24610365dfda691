"""`tocsin policy check` and `tocsin doctor`: what is wrong, where, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from models.policy_file import shipped_policy
from streams import topics
from streams.cli import configured
from streams.settings import Settings
from tests.cli.conftest import Operator
from tests.streams.brokers import embedded_broker


def test_a_policy_with_typos_is_told_line_by_line(lonely: Operator, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    broken = shipped_policy("default").replace("rounds: 3", "runds: 3").replace("within: 48h", "within: soon")
    file.write_text(broken)
    result = lonely.types("policy", "check", str(file))
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert len(lines) == 2
    assert all(line.startswith(f"tocsin: {file}:") for line in lines)
    assert "did you mean 'rounds'?" in result.stderr
    assert lonely.types("policy", "check", str(file), "--json").exit_code == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a policy is a mapping"),
        (b"a: [", "not valid YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"name: x\nname: y", "stands twice"),
    ],
)
def test_a_file_that_is_no_policy(lonely: Operator, tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)
    assert words in lonely.fails(1, "policy", "check", str(file))
    assert "cannot be read" in lonely.fails(1, "policy", "check", str(tmp_path))


def test_the_policy_in_force_and_which_keys_are_set(lonely: Operator) -> None:
    lonely.env["TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY"] = "s3cr3t-routing-key"
    said = lonely.gets("policy")
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY (not set)" in said
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY (set)" in said
    assert "TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER (not set: as secondary)" in said
    assert "s3cr3t" not in said
    lonely.env["TOCSIN_POLICY"] = "nonsense"
    assert "there are: default, operations-review, platform-v2" in lonely.fails(1, "policy", "check")


def test_a_variable_that_nothing_reads(lonely: Operator, tmp_path: Path) -> None:
    lonely.env["TOCSIN_WEBHOOK_TOKEN"] = "alertmanager:s3cr3t"
    lonely.env["TOCSIN_PAGERDUTY_ROUTING_KEY_FILE"] = str(tmp_path / "key")
    (tmp_path / "key").write_text("k3y")
    said = lonely.types("doctor").stdout
    assert "TOCSIN_WEBHOOK_TOKEN is set, but nothing reads it; did you mean TOCSIN_WEBHOOK_TOKENS?" in said
    assert "_FILE is set" not in said
    assert "s3cr3t" not in said


def test_the_doctor_of_a_machine_where_nothing_runs(lonely: Operator) -> None:
    result = lonely.types("doctor")
    assert result.exit_code == 1
    assert "start `tocsin up`" in result.stdout
    assert "no provider is configured" in result.stdout
    assert "incident-commander" in result.stdout
    assert result.stderr == ""


def test_the_doctor_sees_broker_topics_and_web(operator: Operator, tmp_path: Path) -> None:
    with embedded_broker(tmp_path) as brokers:
        operator.env["TOCSIN_KAFKA"] = brokers
        assert "missing: alertmanager.webhooks" in operator.types("doctor").stdout
        asyncio.run(topics.declare(brokers))
        found = {(one["subject"], one["state"]) for one in _findings(operator)}
    assert {("broker", "ok"), ("topics", "ok"), ("web", "ok"), ("token", "ok")} <= found


def test_the_doctor_sees_the_database_its_schema_and_its_clock(
    operator: Operator, empty_database_url: str, database_url: str
) -> None:
    operator.env["TOCSIN_DATABASE_URL"] = empty_database_url
    states = {one["subject"]: one for one in _findings(operator)}
    assert states["database"]["state"] == "ok"
    assert states["schema"]["do"] == "run `tocsin migrate`"
    operator.env["TOCSIN_DATABASE_URL"] = database_url
    states = {one["subject"]: one for one in _findings(operator)}
    assert states["schema"]["state"] == states["clock"]["state"] == "ok"


def test_the_doctor_never_shows_a_secret_and_goes_on_where_one_part_fails(operator: Operator) -> None:
    secrets = {
        "TOCSIN_API_TOKEN": "s3cr3t-wrong",
        "TOCSIN_DATABASE_URL": "postgresql://tocsin:s3cr3t@127.0.0.1:1/tocsin",
        "TOCSIN_WEBHOOK_TOKENS": "prod:s3cr3t",
        "TOCSIN_SLACK_BOT_TOKEN": "xoxb-s3cr3t",
        "TOCSIN_SLACK_API_URL": "http://127.0.0.1:1/api",
        "TOCSIN_HEARTBEAT_URL": "https://watch.example/s3cr3t",
        "TOCSIN_SMTP_URL": "smtp://tocsin:s3cr3t@127.0.0.1:1",
        "TOCSIN_EMAIL_FROM": "tocsin@example.test",
        "TOCSIN_TICKET_URL": "http://127.0.0.1:1/s3cr3t",
        "TOCSIN_TICKET_TOKEN": "s3cr3t",
        "TOCSIN_KAFKA": "127.0.0.1:1",
    }
    operator.env.update(secrets)
    result = operator.types("doctor", "--json")
    assert result.exit_code == 1
    assert "s3cr3t" not in result.output
    states = {one["subject"]: one["state"] for one in _findings(operator)}
    assert states["broker"] == states["database"] == states["token"] == states["recording"] == "fault"


def test_the_doctor_asks_mail_server_and_ticket_system_and_says_whom_nobody_mails(lonely: Operator) -> None:
    keys = ("", "_SECONDARY", "_MANAGER")
    lonely.env = {f"TOCSIN_PAGERDUTY_ROUTING_KEY{name}": "k" * 32 for name in keys}
    lonely.env |= {
        "TOCSIN_PAGERDUTY_EVENTS_URL": "http://127.0.0.1:1",
        "TOCSIN_SMTP_URL": "smtp://tocsin:s3cr3t@127.0.0.1:1",
        "TOCSIN_EMAIL_FROM": "tocsin@example.test",
        "TOCSIN_TICKET_URL": "http://127.0.0.1:1/s3cr3t",
    }
    result = lonely.types("doctor")
    assert "P1 incidents are mailed, but of some services to nobody" in result.stdout
    assert "the mail server is out of reach" in result.stdout
    assert "the ticket system is out of reach" in result.stdout
    assert "s3cr3t" not in result.output


def test_every_setting_is_either_shown_or_hidden_and_a_secret_never_shown() -> None:
    listed = [*configured.SHOWN, *configured.HIDDEN]
    assert sorted(listed) == sorted(Settings.model_fields)
    for name in configured.SHOWN:
        assert "Secret" not in str(Settings.model_fields[name]), name


def test_the_doctor_shows_addresses_without_what_may_be_a_password(lonely: Operator) -> None:
    lonely.env = {"TOCSIN_PROMETHEUS_URL": "http://tocsin:s3cr3t@127.0.0.1:1/x", "TOCSIN_KEEP_INBOX": "70d"}
    result = lonely.types("doctor")
    assert "TOCSIN_PROMETHEUS_URL=http://127.0.0.1:1/x" in result.stdout
    assert "TOCSIN_KEEP_INBOX=70 d" in result.stdout
    assert "the other rules decide without its numbers" in result.stdout
    assert "s3cr3t" not in result.output


def test_the_doctor_of_settings_that_cannot_be_read(lonely: Operator) -> None:
    lonely.env = {"TOCSIN_WEB_BIND": "here", "TOCSIN_PUBLIC_URL": "there"}
    result = lonely.types("doctor")
    assert result.exit_code == 1
    assert "TOCSIN_WEB_BIND" in result.stdout
    assert "TOCSIN_PUBLIC_URL" in result.stdout


def _findings(operator: Operator) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(operator.types("doctor", "--json").stdout)["findings"]
    return found
