"""Slack's answer to one person: a line that only they see, posted to the `response_url` of what they pressed.

One attempt, bounded in time. Never raises for what Slack or the network does: what was pressed is handled all the same.
"""

from __future__ import annotations

import logging
import ssl
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from notifiers.escape import mrkdwn

log = logging.getLogger(__name__)

_OF_SLACK: Final = (".slack.com", ".slack-gov.com")
_LONGEST: Final = 500


class SlackReplies:
    """Posts to Slack alone, or to where `api_url` stands in for it."""

    def __init__(self, api_url: str, tls: ssl.SSLContext | None, timeout: timedelta = timedelta(seconds=3)) -> None:
        self._stand_in = urlsplit(api_url)[:2]
        self._tls = tls
        self._timeout = timeout
        self._quiet = logging.getLogger("slack_sdk.quiet")
        self._quiet.setLevel(logging.INFO)

    async def reply(self, response_url: str, text: str) -> None:
        """Shows `text` to whoever pressed the button that `response_url` came with."""
        if not self._is_slack(response_url):
            log.warning("a button of Slack came with a response_url that is not Slack's; nobody is answered")
            return
        client = AsyncWebhookClient(
            response_url,
            timeout=int(self._timeout.total_seconds()),
            ssl=self._tls,
            retry_handlers=[],
            logger=self._quiet,
        )
        if urlsplit(response_url)[:2] == self._stand_in:
            client.proxy = None
        try:
            answer = await client.send(text=mrkdwn(text, _LONGEST), response_type="ephemeral", replace_original=False)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError among them
            log.warning("an answer in Slack did not get through: %s", type(error).__name__)
            return
        if answer.status_code != 200:
            log.warning("Slack did not take an answer: HTTP %d", answer.status_code)

    def _is_slack(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            return parts[:2] == self._stand_in or (
                parts.scheme == "https" and (parts.hostname or "").endswith(_OF_SLACK)
            )
        except ValueError:
            return False
