"""Settings: places, secrets and how long rows are kept, from environment variables named TOCSIN_*. What is decided
about incidents is the policy's, never a setting.

Every variable that holds a secret may instead be given as `<NAME>_FILE`, the path of a file that holds it. Owns
their names and the one-line messages about what is wrong with them; a message never repeats a secret. How one is
written is streams/values.py's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from models.policy import Policy
from models.policy_fields import Duration, EmailAddress
from models.policy_file import PolicyError, parse_policy, policy_version, shipped_policy
from streams.values import Bind, Brokers, Listen, PostgresUrl, Secrets, SecretUrl, SmtpUrl, Tokens, Url, at_least

PREFIX = "TOCSIN_"


class SettingsError(ValueError):
    """The environment cannot be used; one line per fault, each naming its variable and what to do."""


class Settings(BaseSettings):
    """What the environment says. Field `x_y` is the variable `TOCSIN_X_Y`; an empty variable is as one not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    kafka: Brokers | None = None
    database_url: PostgresUrl | None = None
    data_dir: Path = Path(".tocsin")
    web_bind: Listen = Bind("127.0.0.1", 8080)
    policy: str = "default"
    """The name of a shipped policy, or the path of a file."""
    webhook_tokens: Tokens = Field(default_factory=dict)
    api_token: SecretStr | None = None
    pagerduty_events_url: Url = "https://events.pagerduty.com"
    pagerduty_api_url: Url = "https://api.pagerduty.com"
    pagerduty_api_token: SecretStr | None = None
    pagerduty_webhook_secret: Secrets = ()
    """Several, separated by commas, while one is being replaced."""
    slack_api_url: Url = "https://slack.com/api"
    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    smtp_url: SmtpUrl | None = None
    email_from: EmailAddress | None = None
    ticket_url: SecretUrl | None = None
    ticket_token: SecretStr | None = None
    public_url: Url | None = None
    prometheus_url: Url | None = None
    """Where a policy's queries are asked."""
    record_only: bool = False
    heartbeat_url: SecretUrl | None = None
    ca_file: Path | None = None
    keep_inbox: Annotated[Duration, at_least(42)] = timedelta(days=60)
    """More than what a broker may still hold of the feed: four weeks, and a week that a segment is filled for."""
    keep_ended: Annotated[Duration, at_least(7)] = timedelta(days=90)
    keep_incidents: Annotated[Duration, at_least(92)] = timedelta(days=2557)
    """POLICY 36; at least what the status page shows."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (their signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (their signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then files that variables name."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    def embedded(self) -> bool:
        """True when broker and database are ours to start."""
        return self.kafka is None and self.database_url is None

    def address(self) -> str:
        """Where people and providers find the web pages."""
        return self.public_url or f"http://{self.web_bind}"


_SECRETS = frozenset({
    "database_url", "webhook_tokens", "api_token", "pagerduty_api_token", "pagerduty_webhook_secret", "slack_bot_token",
    "slack_signing_secret", "heartbeat_url", "smtp_url", "ticket_url", "ticket_token",
})  # fmt: skip


class _SecretFiles(PydanticBaseSettingsSource):
    """`TOCSIN_X_FILE` for every secret X."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = f"{PREFIX}{field_name.upper()}"
        return (_secret(name, os.environ) if field_name in _SECRETS else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def _secret(name: str, environ: Mapping[str, str]) -> str | None:
    """A secret from its variable or from the file that `<name>_FILE` names. Raises SettingsError, also for both."""
    value, path = environ.get(name) or None, environ.get(f"{name}_FILE")
    if not path:
        return value
    if value:
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one")
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(f"{name}_FILE: {path} cannot be read: {reason}") from None


def read_settings() -> Settings:
    """The environment's settings. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault) for fault in error.errors(include_url=False))) from None


def _explain(fault: Any) -> str:
    name = f"{PREFIX}{str(fault['loc'][0]).upper()}" if fault["loc"] else "settings"
    return f"{name}: {str(fault['msg']).removeprefix('Value error, ')}"


def check_exposure(settings: Settings) -> None:
    """Without tokens only this machine may reach us. Raises SettingsError."""
    if settings.web_bind.is_loopback:
        return
    missing = [
        name
        for name, value in (
            ("TOCSIN_WEBHOOK_TOKENS", settings.webhook_tokens),
            ("TOCSIN_API_TOKEN", settings.api_token),
        )
        if not value
    ]
    if missing:
        raise SettingsError(
            f"TOCSIN_WEB_BIND={settings.web_bind} can be reached from other machines: set {' and '.join(missing)},"
            " or bind 127.0.0.1"
        )


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """The policy that new incidents are opened under; `text` is what `version` is the hash of."""

    policy: Policy
    version: str
    text: str


def policy_in_force(settings: Settings) -> PolicyInForce:
    """Reads what TOCSIN_POLICY names. Raises SettingsError with file and line of every fault."""
    return policy_named(settings.policy)


def policy_named(name: str) -> PolicyInForce:
    """A policy that comes with Tocsin, or that of a file. Raises SettingsError with file and line of every fault."""
    try:
        is_file = "/" in name or name.endswith((".yaml", ".yml"))
        text = Path(name).read_text(encoding="utf-8") if is_file else shipped_policy(name)
        return PolicyInForce(parse_policy(text, name if is_file else f"{name}.yaml"), policy_version(text), text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(f"TOCSIN_POLICY: {name} cannot be read: {reason}") from None
    except PolicyError as error:
        raise SettingsError(str(error)) from None


def routing_keys(policy: Policy, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """PagerDuty's key by the variable that names it; one of a level that is not set takes the one before's.

    What comes before the first key of a chain that is set has none and is not in the answer, nor are keys of people
    and teams that are not set. Raises SettingsError.
    """
    found: dict[str, SecretStr] = {}
    for chain in policy.chains.values():
        before: SecretStr | None = None
        for name in chain.routing_keys:
            value = _secret(name, environ)
            before = SecretStr(value) if value else before
            if before is not None:
                found.setdefault(name, before)
    return {**found, **{name: SecretStr(value) for name in policy.own_keys if (value := _secret(name, environ))}}


def kept_routing_keys(policy: Policy, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """The same, and every other TOCSIN_…ROUTING_KEY… that is set: incidents opened under an older policy page by the
    names of theirs. Raises SettingsError.
    """
    names = {name.removesuffix("_FILE") for name in environ if name.startswith(PREFIX) and "ROUTING_KEY" in name}
    others = {name: SecretStr(value) for name in names if (value := _secret(name, environ))}
    return {**others, **routing_keys(policy, environ)}


def webhook_urls(policy: Policy, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """URL of every webhook that a level names and that is set, by its variable. Raises SettingsError."""
    names = {name for chain in policy.chains.values() for name in chain.webhooks}
    return {name: SecretStr(value) for name in sorted(names) if (value := _secret(name, environ))}


def kept_webhook_urls(policy: Policy, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """The same, and every other TOCSIN_…WEBHOOK… that is no setting: incidents opened under an older policy page by the
    names of theirs. Raises SettingsError.
    """
    named = {name.removesuffix("_FILE") for name in environ if name.startswith(PREFIX) and "WEBHOOK" in name}
    others = named - {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    found = {name: SecretStr(value) for name in others if (value := _secret(name, environ))}
    return {**found, **webhook_urls(policy, environ)}


def calendar_places(policy: Policy, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """URL or file of every calendar that a schedule names and that is set, by its variable. Raises SettingsError."""
    names = {schedule.ical for schedule in policy.schedules.values() if schedule.ical}
    return {name: SecretStr(value) for name in sorted(names) if (value := _secret(name, environ))}
