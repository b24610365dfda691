"""Which notifier stands for which provider: the real one where it is configured, else one that records and says so.

With nothing configured at all everything is recorded. With anything configured, an escalation level that can reach
nobody is refused at start, unless TOCSIN_RECORD_ONLY says otherwise: a pager that pages nobody must not look as if it
were up.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.deliveries import Provider
from models.policy import Policy
from notifiers.pagerduty import PagerDutyNotifier
from notifiers.port import Notifier
from notifiers.recorder import Recorder
from notifiers.slack import SlackNotifier
from notifiers.statuspage import Publish, StatusPageNotifier
from streams.settings import Settings, SettingsError, routing_keys


@dataclass(frozen=True, slots=True)
class Reach:
    """How each provider is reached. `recording` says in one line per provider why it is only recorded."""

    notifiers: Mapping[Provider, Notifier]
    recording: Mapping[Provider, str]


def reach(settings: Settings, policy: Policy, environ: Mapping[str, str], publish: Publish) -> Reach:
    """Builds the notifiers. Raises SettingsError for a level that reaches nobody, a CA file or address that cannot be
    used.
    """
    recording = whats_recorded(settings, policy, environ)
    tls = trusted(settings.ca_file)
    folder = settings.data_dir / "recorded"
    built: dict[Provider, Notifier] = {Provider.STATUSPAGE: StatusPageNotifier(publish)}
    for provider, why in recording.items():
        built[provider] = Recorder(provider, folder, why)
    if Provider.PAGERDUTY not in recording:
        built[Provider.PAGERDUTY] = _pagerduty(settings, policy, environ, tls)
    if Provider.SLACK not in recording and settings.slack_bot_token is not None:
        token = settings.slack_bot_token.get_secret_value()
        built[Provider.SLACK] = SlackNotifier(token, api_url=settings.slack_api_url, tls=tls)
    return Reach(built, recording)


def whats_recorded(settings: Settings, policy: Policy, environ: Mapping[str, str]) -> Mapping[Provider, str]:
    """The providers that are recorded instead of called, each with why. Raises SettingsError for a level without a
    key.
    """
    if settings.record_only:
        return dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), "TOCSIN_RECORD_ONLY is set")
    keys = routing_keys(policy, environ)
    if not keys and settings.slack_bot_token is None:
        return dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), "no provider is configured")
    silent = [level for level in policy.escalation.levels if level.routing_key not in keys]
    if silent:
        named = ", ".join(f"{level.name} ({level.routing_key})" for level in silent)
        raise SettingsError(
            f"these escalation levels can reach nobody: {named}; set their PagerDuty routing keys, "
            "or TOCSIN_RECORD_ONLY=1 to record pages instead of sending them"
        )
    return {} if settings.slack_bot_token is not None else {Provider.SLACK: "TOCSIN_SLACK_BOT_TOKEN is not set"}


def _pagerduty(
    settings: Settings, policy: Policy, environ: Mapping[str, str], tls: ssl.SSLContext | None
) -> PagerDutyNotifier:
    token = settings.pagerduty_api_token
    public = settings.public_url
    try:
        return PagerDutyNotifier(
            {name: key.get_secret_value() for name, key in routing_keys(policy, environ).items()},
            events_url=settings.pagerduty_events_url,
            api_url=settings.pagerduty_api_url,
            api_token=token.get_secret_value() if token else None,
            client_url=lambda _: public,
            tls=tls,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None


def trusted(ca_file: Path | None) -> ssl.SSLContext | None:
    """Trust in the CA bundle of TOCSIN_CA_FILE; None where the usual one serves. Raises SettingsError."""
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"TOCSIN_CA_FILE: {ca_file} cannot be used: {error}") from None
