"""Who is recorded instead of called, decided from what is configured. Loads no provider.

With nothing configured at all everything is recorded. With anything configured, an escalation level that can reach
nobody is refused at start, unless TOCSIN_RECORD_ONLY says otherwise: a pager that pages nobody must not look up.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.deliveries import Provider
from models.policy import Policy
from streams.settings import Settings, SettingsError, routing_keys


def whats_recorded(settings: Settings, policy: Policy, environ: Mapping[str, str]) -> Mapping[Provider, str]:
    """The providers that are recorded instead of called, each with why. Raises SettingsError for a level without a
    key.
    """
    if settings.record_only:
        return dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), "TOCSIN_RECORD_ONLY is set")
    keys = routing_keys(policy, environ)
    if not keys and settings.slack_bot_token is None:
        return dict.fromkeys((Provider.PAGERDUTY, Provider.SLACK), "no provider is configured")
    levels = (level for chain in policy.chains.values() for level in chain.levels)
    silent = [level for level in levels if level.only_keys and not keys.keys() & set(level.routing_keys)]
    if silent:
        named = ", ".join(f"{level.name} ({', '.join(level.routing_keys)})" for level in silent)
        raise SettingsError(
            f"these escalation levels can reach nobody: {named}; set their PagerDuty routing keys, "
            "or TOCSIN_RECORD_ONLY=1 to record pages instead of sending them"
        )
    return {} if settings.slack_bot_token is not None else {Provider.SLACK: "TOCSIN_SLACK_BOT_TOKEN is not set"}
