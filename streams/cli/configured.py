"""What `tocsin doctor` can tell without asking anybody: Python, settings, policy, keys, people. Shows no secret."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from models.channels import unmailed
from models.deliveries import Provider
from models.policy import Policy
from models.severity import describe
from streams.cli.findings import Finding, fault, ok, warning
from streams.cli.policy import levels_with_keys
from streams.recording import unheard, unpaged, whats_recorded
from streams.settings import PREFIX, PolicyInForce, Settings, SettingsError, check_exposure
from streams.web.auth import DEFAULT_SENDER

SUPPORTED: Final = ((3, 11), (3, 13))
SHOWN: Final = (
    "kafka", "data_dir", "web_bind", "policy", "public_url", "ca_file", "email_from", "record_only", "prometheus_url",
    "pagerduty_events_url", "pagerduty_api_url", "slack_api_url", "keep_inbox", "keep_ended", "keep_incidents",
)  # fmt: skip
HIDDEN: Final = (
    "database_url", "webhook_tokens", "api_token", "pagerduty_api_token", "pagerduty_webhook_secret", "slack_bot_token",
    "slack_signing_secret", "heartbeat_url", "smtp_url", "ticket_url", "ticket_token",
)  # fmt: skip

_WANTS: Final[Mapping[Provider, str]] = {
    Provider.PAGERDUTY: "TOCSIN_PAGERDUTY_ROUTING_KEY",
    Provider.SLACK: "TOCSIN_SLACK_BOT_TOKEN",
    Provider.EMAIL: "TOCSIN_SMTP_URL and TOCSIN_EMAIL_FROM",
    Provider.TICKET: "TOCSIN_TICKET_URL",
    Provider.WEBHOOK: "the variables of its levels' webhooks",
}


def python() -> Finding:
    """Whether this Python is one that Tocsin is tested on."""
    version, system = platform.python_version(), platform.system()
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        return ok("python", f"{version} on {system}")
    return fault("python", f"{version} is not supported", "use Python 3.11, 3.12 or 3.13")


def environment(settings: Settings) -> Iterator[Finding]:
    """The variables that are set, and what their being so or not means."""
    there = settings.model_fields_set
    shown = [f"{PREFIX}{name.upper()}={_shown(getattr(settings, name))}" for name in SHOWN if name in there]
    hidden = [f"{PREFIX}{name.upper()} (set)" for name in HIDDEN if name in there]
    yield ok("settings", ", ".join((*shown, *hidden)) or "nothing is set: everything is embedded, on this machine only")
    try:
        check_exposure(settings)
    except SettingsError as error:
        yield fault("exposure", *_split(str(error)))
    if settings.web_bind.is_loopback and not settings.webhook_tokens:
        yield ok("tokens", "none: this machine alone can send webhooks")
    elif not settings.webhook_tokens or not settings.api_token:
        missing = "TOCSIN_API_TOKEN" if settings.webhook_tokens else "TOCSIN_WEBHOOK_TOKENS"
        yield warning(
            "tokens", f"{missing} is not set: whoever reaches this machine's loopback may call", f"set {missing}"
        )
    if settings.heartbeat_url is None:
        yield warning("watchdog", "nobody outside will notice when Tocsin is dead", "set TOCSIN_HEARTBEAT_URL")


def strangers(policy: Policy, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that look like ours and are read by nobody: mostly typos, and each a setting that is not in force."""
    ours = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    ours |= {name for chain in policy.chains.values() for name in (*chain.routing_keys, *chain.webhooks)}
    ours |= set(policy.own_keys)
    ours |= {schedule.ical for schedule in policy.schedules.values() if schedule.ical}
    for name in sorted(environ):
        known = name in ours or name.removesuffix("_FILE") in ours or name.startswith(f"{PREFIX}TEST_")
        if name.startswith(PREFIX) and environ[name] and not known:
            meant = get_close_matches(name, ours, n=1)
            do = f"did you mean {meant[0]}?" if meant else "unset it"
            yield warning("settings", f"{name} is set, but nothing reads it", do)


def paging(settings: Settings, found: PolicyInForce) -> Iterator[Finding]:
    """Whether a page reaches somebody, level by level, and why it does not."""
    yield ok("policy", f"{found.policy.name}, version {found.version}")
    try:
        recorded = whats_recorded(settings, found.policy, os.environ)
    except SettingsError as error:
        yield fault("recording", *_split(str(error), "; "))
        recorded = {}
    yield from strangers(found.policy, os.environ)
    for provider, why in unheard(recorded, found.policy).items():
        yield warning("recording", f"{provider} is recorded, nobody is told: {why}", _remedy(provider, settings))
    for name, variable, state in levels_with_keys(found):
        if state == "set":
            yield ok(f"level {name}", f"{variable} is set")
        else:
            whom = f"the people of {state.rpartition(' ')[2]}" if state != "not set" else "nobody"
            yield warning(f"level {name}", f"pages {whom}", f"set {variable}")
    for line in unpaged(found.policy, os.environ):
        yield warning("levels", line, "set it, or give them routing keys")
    mailed = unmailed(found.policy)
    if mailed and "email" not in recorded:
        said = f"{' and '.join(mailed)} incidents are mailed, but of some services to nobody"
        yield warning("e-mail", said, "add communication.email to the policy")
    if settings.pagerduty_api_token is None and "pagerduty" not in recorded:
        yield warning(
            "acknowledgement",
            "whether a page arrived is believed from PagerDuty's first answer",
            "set TOCSIN_PAGERDUTY_API_TOKEN",
        )
    if not settings.pagerduty_webhook_secret and "pagerduty" not in recorded:
        yield warning(
            "acknowledgement",
            "an acknowledgement in PagerDuty's app does not stop our escalation",
            "add a webhook to /webhooks/pagerduty and set TOCSIN_PAGERDUTY_WEBHOOK_SECRET",
        )


def people(policy: Policy) -> Finding:
    """Owners whom Slack cannot mention."""
    owners = {policy.review.owner, *(entry.owner for entry in policy.services.values() if entry.owner)}
    named = owners | set(policy.people)
    unknown = sorted(name for name in named if name not in policy.people or policy.people[name].slack is None)
    if not unknown:
        return ok("people", f"{len(named)} with Slack ids")
    few = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    return warning(
        "people", f"without a Slack id, so never mentioned: {few}", "add `people: {NAME: {slack: U…}}` to the policy"
    )


def senders(settings: Settings, policy: Policy) -> Iterator[Finding]:
    """Senders whose heartbeats are waited for, though none of that name can be admitted."""
    known = set(settings.webhook_tokens) or {DEFAULT_SENDER}
    for rule in policy.heartbeats:
        for name in sorted(rule.senders - known):
            said = f"heartbeat {rule.name} waits for {name}, and there is no such sender"
            yield warning("heartbeats", said, f"name one of TOCSIN_WEBHOOK_TOKENS ({', '.join(sorted(known))})")


def _shown(value: object) -> str:
    """A setting in words; an address without what may be a password."""
    if isinstance(value, timedelta):
        return describe(value)
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return str(value)


def _remedy(provider: str, settings: Settings) -> str:
    if settings.record_only:
        return "unset TOCSIN_RECORD_ONLY to send"
    return f"set {_WANTS[Provider(provider)]}"


def _split(message: str, at: str = ": ") -> tuple[str, str]:
    """The message and what to do, where one line holds both."""
    what, _, remedy = message.rpartition(at)
    return (what, remedy) if what else (message, "see the message")
