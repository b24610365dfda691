"""Who is recorded instead of called, decided from what is configured. Loads no provider.

With nothing configured at all everything is recorded. With anything configured, an escalation level that can reach
nobody is refused at start, unless TOCSIN_RECORD_ONLY says otherwise: a pager that pages nobody must not look up.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.deliveries import Provider
from models.policy import Policy
from models.ways import only_in_slack
from streams.settings import Settings, SettingsError, routing_keys

_EVERYBODY = (Provider.PAGERDUTY, Provider.SLACK, Provider.EMAIL, Provider.TICKET)


def whats_recorded(settings: Settings, policy: Policy, environ: Mapping[str, str]) -> Mapping[Provider, str]:
    """The providers that are recorded instead of called, each with why. Raises SettingsError for a level without a
    key, and for half of what e-mail needs.
    """
    if settings.record_only:
        return dict.fromkeys(_EVERYBODY, "TOCSIN_RECORD_ONLY is set")
    missing = _missing(settings)
    keys = routing_keys(policy, environ)
    if not keys and len(missing) == len(_EVERYBODY) - 1:
        return dict.fromkeys(_EVERYBODY, "no provider is configured")
    levels = (level for chain in policy.chains.values() for level in chain.levels)
    silent = [level for level in levels if level.only_keys and not keys.keys() & set(level.routing_keys)]
    if silent:
        named = ", ".join(f"{level.name} ({', '.join(level.routing_keys)})" for level in silent)
        raise SettingsError(
            f"these escalation levels can reach nobody: {named}; set their PagerDuty routing keys, "
            "or TOCSIN_RECORD_ONLY=1 to record pages instead of sending them"
        )
    if Provider.SLACK in missing:
        unreached = dict.fromkeys(level.name for level, _, whole in only_in_slack(policy, keys) if whole)
        if unreached:
            raise SettingsError(
                f"these escalation levels can reach nobody: {', '.join(unreached)} (in Slack alone); set "
                "TOCSIN_SLACK_BOT_TOKEN, or give their people PagerDuty routing keys"
            )
    return {provider: f"{variable} is not set" for provider, variable in missing.items()}


def unpaged(policy: Policy, environ: Mapping[str, str]) -> list[str]:
    """People and groups whom their level can reach in Slack alone, while no token is set: one line for each level."""
    if environ.get("TOCSIN_SLACK_BOT_TOKEN") or environ.get("TOCSIN_SLACK_BOT_TOKEN_FILE"):
        return []
    return [
        f"{level.name} reaches {' and '.join(people)} in Slack alone, and TOCSIN_SLACK_BOT_TOKEN is not set: not at all"
        for level, people, _ in only_in_slack(policy, routing_keys(policy, environ))
    ]


def unheard(recording: Mapping[Provider, str], policy: Policy) -> Mapping[Provider, str]:
    """Those of the recorded providers that the policy wants somebody told by."""
    wanted = {channel for channels in policy.channels.values() for channel in channels}
    optional = {Provider(channel) for channel in ("email", "ticket") if channel not in wanted}
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
