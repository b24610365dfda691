"""Who is recorded instead of called, decided from what is configured. Loads no provider.

With nothing configured at all everything is recorded. With anything configured, an escalation level that can reach
nobody is refused at start, unless TOCSIN_RECORD_ONLY says otherwise: a pager that pages nobody must not look up.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.deliveries import Provider
from models.policy import Policy
from models.ways import Way, only_by, ways
from streams.settings import Settings, SettingsError, routing_keys, webhook_urls

_EVERYBODY = (Provider.PAGERDUTY, Provider.SLACK, Provider.EMAIL, Provider.TICKET, Provider.WEBHOOK)
_BY_VARIABLES = frozenset({Provider.PAGERDUTY, Provider.WEBHOOK})
"""Those whose keys and addresses the policy names: each may be set or not."""
_WORDS: Mapping[Way, tuple[Provider, str, str]] = {
    "slack": (Provider.SLACK, "in Slack", "TOCSIN_SLACK_BOT_TOKEN"),
    "email": (Provider.EMAIL, "by e-mail", "TOCSIN_SMTP_URL"),
}
"""By way its provider, how that is said, and what it needs."""


def whats_recorded(settings: Settings, policy: Policy, environ: Mapping[str, str]) -> Mapping[Provider, str]:
    """The providers that are recorded instead of called, each with why. Raises SettingsError for a level without a
    key, and for half of what e-mail needs.
    """
    if settings.record_only:
        return dict.fromkeys(_EVERYBODY, "TOCSIN_RECORD_ONLY is set")
    missing = _missing(settings)
    keys = routing_keys(policy, environ)
    keys |= webhook_urls(policy, environ)
    if not keys and missing.keys() == set(_EVERYBODY) - _BY_VARIABLES:
        return dict.fromkeys(_EVERYBODY, "no provider is configured")
    levels = (level for chain in policy.chains.values() for level in chain.levels)
    silent = [level for level in levels if level.only_variables and not keys.keys() & set(level.variables)]
    if silent:
        named = ", ".join(f"{level.name} ({', '.join(level.variables)})" for level in silent)
        what = "webhooks" if all(level.webhooks for level in silent) else "PagerDuty routing keys"
        raise SettingsError(
            f"these escalation levels can reach nobody: {named}; set their {what}, "
            "or TOCSIN_RECORD_ONLY=1 to record pages instead of sending them"
        )
    closed = tuple(way for way, (provider, *_) in _WORDS.items() if provider in missing)
    unreached = {level.name: cut_off for level, cut_off, whole in only_by(closed, policy, keys) if whole}
    if unreached:
        needed = [way for way in closed if any(way in cut_off.values() for cut_off in unreached.values())]
        how, variables = (" or ".join(_WORDS[way][part] for way in needed) for part in (1, 2))
        raise SettingsError(
            f"these escalation levels can reach nobody: {', '.join(unreached)} ({how} alone); set "
            f"{variables}, or give their people PagerDuty routing keys"
        )
    return {provider: f"{variable} is not set" for provider, variable in missing.items()}


def unpaged(policy: Policy, environ: Mapping[str, str]) -> list[str]:
    """Whom their level can reach by one way alone that is not configured: one line for each level and way."""
    keys = {**routing_keys(policy, environ), **webhook_urls(policy, environ)}
    cut_off = [
        f"{level.name} reaches {' and '.join(people)} {how} alone, and {variable} is not set: not at all"
        for way, (_, how, variable) in _WORDS.items()
        if not (environ.get(variable) or environ.get(f"{variable}_FILE"))
        for level, people, _ in only_by((way,), policy, keys)
    ]
    levels = [level for chain in policy.chains.values() for level in chain.levels]
    hooks = [(level.name, name) for level in levels for name in level.webhooks if name not in keys]
    return [*cut_off, *(f"{level} calls a webhook, and {name} is not set: not at all" for level, name in hooks)]


def unheard(recording: Mapping[Provider, str], policy: Policy) -> Mapping[Provider, str]:
    """Those of the recorded providers that the policy wants somebody told by."""
    wanted: set[str] = {channel for channels in policy.channels.values() for channel in channels}
    for chain in policy.chains.values():
        wanted |= {way for level in chain.levels for way in ways(level, policy, chain.webhooks).values()}
    optional = {provider for provider in (Provider.EMAIL, Provider.TICKET, Provider.WEBHOOK) if provider not in wanted}
    return {provider: why for provider, why in recording.items() if provider not in optional}


def _missing(settings: Settings) -> dict[Provider, str]:
    """What would have to be set for each provider but PagerDuty."""
    if (settings.smtp_url is None) != (settings.email_from is None):
        missing = "TOCSIN_SMTP_URL" if settings.smtp_url is None else "TOCSIN_EMAIL_FROM"
        raise SettingsError(f"e-mail needs both TOCSIN_SMTP_URL and TOCSIN_EMAIL_FROM; set {missing}")
    needs = (
        (Provider.SLACK, settings.slack_bot_token, "TOCSIN_SLACK_BOT_TOKEN"),
        (Provider.EMAIL, settings.smtp_url, "TOCSIN_SMTP_URL"),
        (Provider.TICKET, settings.ticket_url, "TOCSIN_TICKET_URL"),
    )
    return {provider: variable for provider, value, variable in needs if value is None}
