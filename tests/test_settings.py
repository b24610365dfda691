"""Settings from the environment, and what is said about wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.deliveries import Provider
from models.policy_file import parse_policy, shipped_policy
from streams.providers import reach
from streams.recording import unheard, unpaged, whats_recorded
from streams.settings import (
    SettingsError,
    kept_routing_keys,
    kept_webhook_urls,
    policy_in_force,
    read_settings,
    routing_keys,
)
from streams.values import Bind, parse_bind
from tests.scenarios.oncall import policy as oncall_policy


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the developer's own shell."""
    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_is_the_embedded_default() -> None:
    settings = read_settings()
    assert settings.embedded()
    assert (str(settings.web_bind), settings.policy, settings.webhook_tokens) == ("127.0.0.1:8080", "default", {})


def test_what_is_set_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WEB_BIND", "[::1]:0")
    monkeypatch.setenv("TOCSIN_WEBHOOK_TOKENS", "prod: one ,staging:two:three,")
    monkeypatch.setenv("TOCSIN_PAGERDUTY_WEBHOOK_SECRET", "new, old")
    monkeypatch.setenv("TOCSIN_RECORD_ONLY", "1")
    monkeypatch.setenv("TOCSIN_PUBLIC_URL", "https://status.example.test/")
    monkeypatch.setenv("TOCSIN_KAFKA", "")
    settings = read_settings()
    assert settings.web_bind == Bind("::1", 0)
    assert {name: token.get_secret_value() for name, token in settings.webhook_tokens.items()} == {
        "prod": "one",
        "staging": "two:three",
    }
    assert [secret.get_secret_value() for secret in settings.pagerduty_webhook_secret] == ["new", "old"]
    assert (settings.record_only, settings.address(), settings.kafka) == (True, "https://status.example.test", None)


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("prod:one\n")
    (tmp_path / "api").write_text("hunter2\n")
    monkeypatch.setenv("TOCSIN_WEBHOOK_TOKENS_FILE", str(tmp_path / "tokens"))
    monkeypatch.setenv("TOCSIN_API_TOKEN_FILE", str(tmp_path / "api"))
    settings = read_settings()
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "hunter2"
    assert settings.webhook_tokens["prod"].get_secret_value() == "one"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KEEP_INBOX", "7d", "TOCSIN_KEEP_INBOX: too short; write 42d or more"),
        ("KEEP_INCIDENTS", "7 years", "TOCSIN_KEEP_INCIDENTS: '7 years' is not a duration; write it as"),
        ("WEB_BIND", "8080", "TOCSIN_WEB_BIND: '8080' is not an address; write HOST:PORT, such as 127.0.0.1:8080"),
        ("WEB_BIND", "localhost:99999", "TOCSIN_WEB_BIND: 'localhost:99999' is not an address"),
        ("WEB_BIND", "::1:80", "TOCSIN_WEB_BIND: '::1:80': an IPv6 address stands in brackets"),
        ("WEBHOOK_TOKENS", "hunter2", "TOCSIN_WEBHOOK_TOKENS: entry 1 is not sender:token"),
        ("WEBHOOK_TOKENS", "a:1,a:2", "TOCSIN_WEBHOOK_TOKENS: the sender 'a' stands twice"),
        ("WEBHOOK_TOKENS", "a:hunter2,b:hunter2", "TOCSIN_WEBHOOK_TOKENS: two senders share one token"),
        ("PUBLIC_URL", "status.example", "TOCSIN_PUBLIC_URL: not a web address"),
        ("HEARTBEAT_URL", "hunter2", "TOCSIN_HEARTBEAT_URL: not a web address"),
        ("RECORD_ONLY", "perhaps", "TOCSIN_RECORD_ONLY: Input should be a valid boolean"),
        ("API_TOKEN_FILE", "/nowhere/token", "TOCSIN_API_TOKEN_FILE: /nowhere/token cannot be read: No such file"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"TOCSIN_{name}", value)
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_API_TOKEN", "one")
    monkeypatch.setenv("TOCSIN_API_TOKEN_FILE", str(tmp_path / "api"))
    with pytest.raises(SettingsError, match="both set"):
        read_settings()


@pytest.mark.parametrize(
    ("host", "is_loopback"), [("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("", False)]
)
def test_loopback(host: str, *, is_loopback: bool) -> None:
    assert parse_bind(f"{host}:80").is_loopback is is_loopback


def test_a_policy_by_name_and_by_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shipped = policy_in_force(read_settings())
    file = tmp_path / "ours.yaml"
    file.write_text(shipped.text)
    monkeypatch.setenv("TOCSIN_POLICY", str(file))
    assert policy_in_force(read_settings()).version == shipped.version
    file.write_text(shipped.text.replace("reopen_within", "reopen_whitin"))
    with pytest.raises(SettingsError, match=rf"{file}:\d+: reopen_whitin: unknown key; did you mean 'reopen_within'"):
        policy_in_force(read_settings())
    for name in ("defualt", "nowhere.yaml"):
        monkeypatch.setenv("TOCSIN_POLICY", name)
        with pytest.raises(SettingsError):
            policy_in_force(read_settings())


def test_a_level_without_a_key_takes_that_of_the_level_before() -> None:
    policy = parse_policy(shipped_policy("default"), "default.yaml")
    primary = {"TOCSIN_PAGERDUTY_ROUTING_KEY": "R1"}
    keys = routing_keys(policy, {**primary, "TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER": "R3"})
    assert [key.get_secret_value() for key in keys.values()] == ["R1", "R1", "R3"]
    assert list(routing_keys(policy, {"TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY": "R2"})) == [
        "TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY",
        "TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER",
    ]
    assert routing_keys(policy, {}) == {}


def test_a_key_that_only_an_older_policy_names_is_kept() -> None:
    """Its incidents are still open, and page by the names of theirs."""
    policy = policy_in_force(read_settings()).policy
    environ = {"TOCSIN_PAGERDUTY_ROUTING_KEY": "R1", "TOCSIN_OLD_ROUTING_KEY": "R0", "UNRELATED_ROUTING_KEY": "x"}
    keys = {name: key.get_secret_value() for name, key in kept_routing_keys(policy, environ).items()}
    assert keys["TOCSIN_OLD_ROUTING_KEY"] == "R0"
    assert keys["TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER"] == "R1"
    assert "UNRELATED_ROUTING_KEY" not in keys


@pytest.mark.parametrize(
    "url", ["mail.example.test", "http://mail.example.test", "smtp://", "smtp://h:port", "smtp://h:0"]
)
def test_what_is_no_mail_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TOCSIN_SMTP_URL", url)
    with pytest.raises(SettingsError, match=r"^TOCSIN_SMTP_URL: not the address of a mail server; write smtp://USER"):
        read_settings()


def test_who_is_recorded_and_which_of_them_anybody_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_in_force(read_settings()).policy
    assert set(whats_recorded(read_settings(), policy, os.environ)) == set(Provider) - {Provider.STATUSPAGE}
    keys = dict.fromkeys(policy.escalation.routing_keys, "k")
    monkeypatch.setenv("TOCSIN_SMTP_URL", "smtp://tocsin:s%40cret@mail.example.test:587")
    with pytest.raises(SettingsError, match="set TOCSIN_EMAIL_FROM"):
        whats_recorded(read_settings(), policy, keys)
    monkeypatch.setenv("TOCSIN_EMAIL_FROM", "tocsin@example.test")
    with pytest.raises(SettingsError, match="can reach nobody"):
        whats_recorded(read_settings(), policy, {})
    recorded = whats_recorded(read_settings(), policy, keys)
    assert recorded == {
        Provider.SLACK: "TOCSIN_SLACK_BOT_TOKEN is not set",
        Provider.TICKET: "TOCSIN_TICKET_URL is not set",
    }
    silent = shipped_policy("platform-v2").replace("P3: [ticket]", "P3: [slack]")
    assert set(unheard(recorded, parse_policy(silent, "p.yaml"))) == {Provider.SLACK}


def test_a_sender_that_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_EMAIL_FROM", "Tocsin <tocsin@example.test>\r\nBcc: all@example.test")
    with pytest.raises(SettingsError, match=r"TOCSIN_EMAIL_FROM: .* is not an e-mail address"):
        read_settings()


def test_every_provider_is_built_where_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    async def publish(_: object) -> None:
        raise AssertionError

    policy = policy_in_force(read_settings()).policy
    keys = dict.fromkeys(policy.escalation.routing_keys, "k")
    monkeypatch.setenv("TOCSIN_SMTP_URL", "smtp://mail.example.test")
    monkeypatch.setenv("TOCSIN_EMAIL_FROM", "tocsin@example.test")
    monkeypatch.setenv("TOCSIN_TICKET_URL", "https://tickets.example.test/hook")
    reached = reach(read_settings(), policy, keys, publish)
    assert {provider for provider, one in reached.notifiers.items() if one.recording} == {Provider.SLACK}
    assert set(reached.notifiers) == set(Provider)
    monkeypatch.setenv("TOCSIN_TICKET_URL", "http://tickets.example.test/hook")
    with pytest.raises(SettingsError, match="TOCSIN_TICKET_URL must begin with https"):
        reach(read_settings(), policy, keys, publish)


def test_a_level_that_slack_alone_reaches_needs_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = parse_policy(
        oncall_policy(
            "{name: a, targets: [{person: cleo}]}", "{name: b, targets: [{person: ana}, {slack_group: S0OPS}]}"
        ),
        "p.yaml",
    )
    keys = dict.fromkeys(policy.own_keys, "k")
    with pytest.raises(SettingsError, match=r"can reach nobody: a \(in Slack alone\); set TOCSIN_SLACK_BOT_TOKEN"):
        whats_recorded(read_settings(), policy, keys)
    assert [line.partition(" in Slack")[0] for line in unpaged(policy, keys)] == ["a reaches cleo", "b reaches S0OPS"]
    monkeypatch.setenv("TOCSIN_SLACK_BOT_TOKEN", "xoxb-1")
    assert Provider.SLACK not in whats_recorded(read_settings(), policy, keys)
    assert unpaged(policy, {**keys, "TOCSIN_SLACK_BOT_TOKEN": "xoxb-1"}) == []
    monkeypatch.setenv("TOCSIN_RECORD_ONLY", "1")
    assert Provider.PAGERDUTY in whats_recorded(read_settings(), policy, keys)


MAILED, HOOKED = (
    "{name: a, targets: [{email: noc@example.test}]}",
    "{name: b, targets: [{webhook: TOCSIN_NOC_WEBHOOK}]}",
)
BOTH = "{name: c, targets: [{person: ana}, {person: dora}, {webhook: TOCSIN_NOC_WEBHOOK}]}"


def test_a_level_that_mail_alone_reaches_needs_a_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = parse_policy(oncall_policy(MAILED, BOTH), "p.yaml")
    keys = dict.fromkeys(policy.own_keys, "k")
    with pytest.raises(SettingsError, match=r"can reach nobody: a \(by e-mail alone\); set TOCSIN_SMTP_URL"):
        whats_recorded(read_settings(), policy, keys)
    assert unpaged(policy, keys) == [
        "a reaches noc@example.test by e-mail alone, and TOCSIN_SMTP_URL is not set: not at all",
        "c reaches dora by e-mail alone, and TOCSIN_SMTP_URL is not set: not at all",
        "c calls a webhook, and TOCSIN_NOC_WEBHOOK is not set: not at all",
    ]
    monkeypatch.setenv("TOCSIN_SMTP_URL", "smtp://mail.example.test")
    monkeypatch.setenv("TOCSIN_EMAIL_FROM", "tocsin@example.test")
    hook = {"TOCSIN_NOC_WEBHOOK": "https://noc.example.test/hook", "TOCSIN_SMTP_URL": "smtp://mail.example.test"}
    assert Provider.EMAIL not in whats_recorded(read_settings(), policy, keys)
    assert unpaged(policy, {**keys, **hook}) == []


def test_a_level_of_a_webhook_needs_its_variable() -> None:
    policy = parse_policy(oncall_policy(BOTH, HOOKED), "p.yaml")
    with pytest.raises(SettingsError, match=r"can reach nobody: b \(TOCSIN_NOC_WEBHOOK\); set their webhooks"):
        whats_recorded(read_settings(), policy, {"TOCSIN_KEY_ANA": "k"})
    assert Provider.WEBHOOK in whats_recorded(read_settings(), policy, {}), "nothing at all is configured"
    recorded = whats_recorded(read_settings(), policy, {"TOCSIN_NOC_WEBHOOK": "https://noc.example.test/hook"})
    assert Provider.WEBHOOK not in recorded
    assert Provider.EMAIL in unheard(recorded, policy), "c has somebody who is mailed"


def test_the_webhook_of_an_older_policy_is_kept_and_no_setting_is_taken_for_one() -> None:
    policy = parse_policy(oncall_policy(HOOKED), "p.yaml")
    environ = {"TOCSIN_NOC_WEBHOOK": "u1", "TOCSIN_OLD_WEBHOOK": "u0", "TOCSIN_WEBHOOK_TOKENS": "a:b"}
    assert set(kept_webhook_urls(policy, environ)) == {"TOCSIN_NOC_WEBHOOK", "TOCSIN_OLD_WEBHOOK"}


def test_a_webhook_that_is_no_safe_address_is_told_by_its_variable() -> None:
    async def publish(_: object) -> None:
        raise AssertionError

    policy = parse_policy(oncall_policy(HOOKED), "p.yaml")
    with pytest.raises(SettingsError, match=r"^TOCSIN_NOC_WEBHOOK must begin with https://"):
        reach(read_settings(), policy, {"TOCSIN_NOC_WEBHOOK": "http://noc.example.test/secret"}, publish)
