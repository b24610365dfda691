"""What Slack's errors, and its silence, mean for a delivery.

Owns the mapping to outcomes. Slack's own words and our token stay out of every reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from models.deliveries import Refused, RetryLater

_RATE_BACKOFF = timedelta(seconds=30)
_CREDENTIALS_BACKOFF = timedelta(minutes=5)
_RATE_LIMITED = {"ratelimited", "rate_limited", "message_limit_exceeded"}
_CREDENTIALS = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
    "no_permission", "missing_scope", "org_login_required", "ekm_access_denied", "team_access_not_granted",
    "access_denied",
}  # fmt: skip
_SLACK_AT_FAULT = {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_WHAT_TO_DO = {
    "channel_not_found": "create it, or invite the bot to it",
    "not_in_channel": "invite the bot to it",
    "is_archived": "unarchive it, or name another in the policy",
    "restricted_action": "let the bot post there",
}


class Failed(Exception):
    """A call did not succeed. `outcome` is what to report; `code` is Slack's error, where Slack gave one."""

    def __init__(self, outcome: RetryLater | Refused, code: str = "") -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.code = code


def refusal(error: SlackApiError, where: str) -> Failed:
    status, headers, body = _answer(error.response)
    code = re.sub(r"[^a-z_]", "", str(body.get("error", "")))[:60]
    if status == 429 or code in _RATE_LIMITED:
        return Failed(RetryLater("Slack limits the rate", after=_retry_after(headers.get("Retry-After"))), code)
    if code in _CREDENTIALS or status in {401, 403, 404}:
        reason = f"Slack does not take our credentials ({code or status}); check TOCSIN_SLACK_BOT_TOKEN and its scopes"
        return Failed(RetryLater(reason, after=_CREDENTIALS_BACKOFF, provider_down=True), code)
    if not code or code in _SLACK_AT_FAULT or status >= 500:
        reason = f"Slack answered {status} {code or 'with something that is not its API'}"
        return Failed(RetryLater(reason, unknown=True, provider_down=True), code)
    to_do = _WHAT_TO_DO.get(code)
    return Failed(Refused(f"Slack refused {where}: {code}" + (f"; {to_do}" if to_do else "")), code)


def _answer(response: Any) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
    """Status, headers and body, of what may be the SDK's response or, for a body that is no JSON, aiohttp's."""
    if isinstance(response, AsyncSlackResponse):
        body = response.data if isinstance(response.data, dict) else {}
        return response.status_code, response.headers, body
    return getattr(response, "status", 0), getattr(response, "headers", {}), {}


def out_of_reach(error: Exception, *, unknown: bool) -> Failed:
    """No answer, or one that is not Slack's. `unknown` where the request may have arrived."""
    reason = f"Slack is out of reach or answers nonsense ({type(error).__name__})"
    if isinstance(error, aiohttp.ClientSSLError):
        reason = "Slack's certificate is not trusted here; set TOCSIN_CA_FILE"
    return Failed(RetryLater(reason, unknown=unknown, provider_down=True))


def scope_is_no_outage(failed: Failed) -> Failed:
    """A bot that may not create channels can still post: the incident goes on without a channel of its own."""
    if failed.code not in {"missing_scope", "no_permission", "restricted_action"}:
        return failed
    reason = "the bot may not create channels; give it the scopes channels:manage, channels:join and channels:read"
    return Failed(Refused(reason), failed.code)


def _retry_after(value: str | None) -> timedelta:
    return timedelta(seconds=min(int(value), 3600)) if value is not None and value.isdecimal() else _RATE_BACKOFF
