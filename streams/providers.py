"""Builds the notifiers: the real one where a provider is called, else one that records and says so.

Which is which is decided by streams/recording.py alone.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.deliveries import Provider
from models.policy import Policy
from notifiers.email import EmailNotifier
from notifiers.pagerduty import PagerDutyNotifier
from notifiers.port import Notifier
from notifiers.recorder import Recorder
from notifiers.slack import SlackNotifier
from notifiers.statuspage import Publish, StatusPageNotifier
from notifiers.ticket import TicketNotifier
from notifiers.webhook import WebhookNotifier
from streams.recording import whats_recorded
from streams.settings import Settings, SettingsError, kept_routing_keys, kept_webhook_urls
from streams.trust import trusted

ANSWER_WITHIN: Final = timedelta(seconds=5)
"""For one call; an attempt makes at most three, which must end before its lease (agents/delivery.py)."""
AT_ONCE: Final[Mapping[Provider, int]] = {
    Provider.PAGERDUTY: 64,
    Provider.SLACK: 8,
    Provider.STATUSPAGE: 32,
    Provider.EMAIL: 4,
    Provider.TICKET: 8,
    Provider.WEBHOOK: 16,
}
"""Each attempt at a provider out there holds a connection, and must end before its lease."""
RECORDED_AT_ONCE: Final = 64
"""The same where nobody is called: only as many as one transaction should write."""


def at_once(notifier: Notifier) -> int:
    """Attempts of one notifier under way at the same time, per worker."""
    return RECORDED_AT_ONCE if notifier.recording else AT_ONCE[notifier.provider]


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
        built[provider] = Recorder(provider, folder, why, pages=Provider.PAGERDUTY in recording)
    if Provider.PAGERDUTY not in recording:
        built[Provider.PAGERDUTY] = _pagerduty(settings, policy, environ, tls)
    if Provider.SLACK not in recording and settings.slack_bot_token is not None:
        token = settings.slack_bot_token.get_secret_value()
        built[Provider.SLACK] = SlackNotifier(
            token,
            api_url=settings.slack_api_url,
            tls=tls,
            timeout=ANSWER_WITHIN,
            buttons=settings.slack_signing_secret is not None,
        )
    if Provider.EMAIL not in recording and settings.smtp_url is not None and settings.email_from is not None:
        server = settings.smtp_url.get_secret_value()
        built[Provider.EMAIL] = EmailNotifier(server, settings.email_from, tls=tls, timeout=ANSWER_WITHIN)
    if Provider.TICKET not in recording and settings.ticket_url is not None:
        built[Provider.TICKET] = _ticket(settings.ticket_url.get_secret_value(), settings, tls)
    if Provider.WEBHOOK not in recording:
        built[Provider.WEBHOOK] = _webhooks(policy, environ, tls)
    return Reach(built, recording)


def _ticket(url: str, settings: Settings, tls: ssl.SSLContext | None) -> TicketNotifier:
    token = settings.ticket_token
    try:
        return TicketNotifier(url, token.get_secret_value() if token else None, tls=tls)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _webhooks(policy: Policy, environ: Mapping[str, str], tls: ssl.SSLContext | None) -> WebhookNotifier:
    urls = {name: url.get_secret_value() for name, url in kept_webhook_urls(policy, environ).items()}
    try:
        return WebhookNotifier(urls, tls=tls)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _pagerduty(
    settings: Settings, policy: Policy, environ: Mapping[str, str], tls: ssl.SSLContext | None
) -> PagerDutyNotifier:
    token = settings.pagerduty_api_token
    public = settings.public_url
    try:
        return PagerDutyNotifier(
            {name: key.get_secret_value() for name, key in kept_routing_keys(policy, environ).items()},
            events_url=settings.pagerduty_events_url,
            api_url=settings.pagerduty_api_url,
            api_token=token.get_secret_value() if token else None,
            client_url=lambda _: public,
            tls=tls,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
