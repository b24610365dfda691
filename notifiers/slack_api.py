"""The few calls of Slack's Web API that Tocsin makes: each one once, each raising `Failed` for whatever goes wrong.

Owns the session and the paging. Never decides what is said; never retries.
"""

from __future__ import annotations

import logging
import ssl
import uuid
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from models.deliveries import Refused, RetryLater
from notifiers.render import Place
from notifiers.slack_faults import Failed, out_of_reach, refusal

API_URL = "https://slack.com/api/"
EVENT_TYPE = "tocsin_delivery"
SCOPES = ("channels:history", "channels:join", "channels:manage", "channels:read", "chat:write")
_PAGES = 10
"""Pages that are read at most when looking for a message or a channel."""
_CANNOT_LOOK = {"missing_scope", "thread_not_found", "not_in_channel"}
"""Then a message is posted though it may be there already: twice is better than never."""


class SlackApi:
    """Connects when first used, in the running loop."""

    def __init__(self, token: str, api_url: str, tls: ssl.SSLContext | None, timeout: timedelta) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        # The SDK writes whole messages at DEBUG, and formats them even where nobody listens.
        quiet = logging.getLogger("slack_sdk.quiet")
        quiet.setLevel(logging.INFO)
        # Its own handlers would post a second time after a reset.
        self._client = AsyncWebClient(token=token, base_url=api_url, ssl=tls, retry_handlers=[], logger=quiet)
        if urlsplit(api_url).hostname in {"localhost", "127.0.0.1", "::1"}:
            self._client.proxy = None
        self._ids: dict[str, str] = {}

    async def close(self) -> None:
        if self._client.session is not None:
            await self._client.session.close()

    async def create_channel(self, name: str) -> str | None:
        """The new channel's id; None when the name is taken."""
        try:
            answer = await self._call(self._client.conversations_create(name=name), f"#{name}")
        except Failed as failed:
            if failed.code == "name_taken":
                return None
            raise
        return _text(answer, "channel", "id")

    async def adopt_channel(self, name: str) -> str:
        """The id of the channel that has this name already; the bot joins it."""
        found = await self._look_up(name)
        if found is None:
            raise Failed(Refused(f"#{name} exists, but archived or private; unarchive it, or invite the bot to it"))
        await self._call(self._client.conversations_join(channel=found), f"#{name}")
        return found

    async def set_topic(self, channel: str, topic: str) -> None:
        await self._call(self._client.conversations_setTopic(channel=channel, topic=topic), channel)

    async def post(self, place: Place, message: Mapping[str, Any], delivery_id: uuid.UUID) -> tuple[str, str]:
        """Channel id and timestamp of the new message."""
        answer = await self._call(
            self._client.chat_postMessage(
                channel=self._ids.get(place.channel, place.channel),
                thread_ts=place.thread,
                text=message["text"],
                blocks=message["blocks"],
                metadata={"event_type": EVENT_TYPE, "event_payload": {"delivery_id": str(delivery_id)}},
                unfurl_links=False,
                unfurl_media=False,
            ),
            place.channel,
        )
        channel, ts = _text(answer, "channel"), _text(answer, "ts")
        self._ids[place.channel] = channel
        return channel, ts

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> None:
        """Edits in place. Without metadata in the call, Slack keeps what the message had."""
        await self._call(
            self._client.chat_update(channel=channel, ts=ts, text=message["text"], blocks=message["blocks"]), channel
        )

    async def find(self, place: Place, delivery_id: uuid.UUID, since: datetime | None) -> tuple[str, str] | None:
        """Channel id and timestamp of this delivery's message, or None. Where the bot may not look, None."""
        try:
            channel = await self._channel_id(place.channel)
            if channel is None:
                return None
            await self._join(channel)
            return await self._find(Place(channel, place.thread), delivery_id, since)
        except Failed as failed:
            if failed.code in _CANNOT_LOOK:
                return None
            raise

    async def missing_scopes(self) -> list[str]:
        """What the token is not allowed to do."""
        answer = await self._call(self._client.auth_test(), "the bot")
        granted = answer.headers.get("x-oauth-scopes", "") if answer.headers else ""
        return sorted(set(SCOPES) - {scope.strip() for scope in granted.split(",")}) if granted else []

    async def _join(self, channel: str) -> None:
        """History is for members only; where joining is refused, looking will say so."""
        try:
            await self._call(self._client.conversations_join(channel=channel), channel)
        except Failed as failed:
            if isinstance(failed.outcome, RetryLater) and failed.code not in _CANNOT_LOOK:
                raise

    async def _find(self, place: Place, delivery_id: uuid.UUID, since: datetime | None) -> tuple[str, str] | None:
        oldest = f"{since.timestamp():.6f}" if since else None
        cursor: str | None = None
        for _ in range(_PAGES):
            if place.thread is None:
                call = self._client.conversations_history(
                    channel=place.channel, cursor=cursor, include_all_metadata=True, limit=200, oldest=oldest
                )
            else:
                call = self._client.conversations_replies(
                    channel=place.channel,
                    ts=place.thread,
                    cursor=cursor,
                    include_all_metadata=True,
                    limit=200,
                    oldest=oldest,
                )
            answer = await self._call(call, place.channel)
            for message in answer.get("messages") or ():
                if _delivery_id(message) == str(delivery_id):
                    return place.channel, str(message["ts"])
            cursor = _cursor(answer)
            if not cursor:
                break
        return None

    async def _channel_id(self, channel: str) -> str | None:
        """The id behind `#name`."""
        if not channel.startswith("#"):
            return channel
        if channel not in self._ids:
            found = await self._look_up(channel.removeprefix("#"))
            if found is None:
                return None
            self._ids[channel] = found
        return self._ids[channel]

    async def _look_up(self, name: str) -> str | None:
        cursor: str | None = None
        for _ in range(_PAGES):
            answer = await self._call(
                self._client.conversations_list(
                    cursor=cursor, limit=1000, types="public_channel", exclude_archived=True
                ),
                f"#{name}",
            )
            for channel in answer.get("channels") or ():
                if channel.get("name") == name:
                    return str(channel["id"])
            cursor = _cursor(answer)
            if not cursor:
                break
        return None

    async def _call(self, call: Awaitable[AsyncSlackResponse], where: str) -> AsyncSlackResponse:
        """One call. Raises Failed for whatever Slack or the network does."""
        if self._client.session is None:
            self._client.session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            return await call
        except SlackApiError as error:
            raise refusal(error, where) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise out_of_reach(error, unknown=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
            # AttributeError and ValueError are what the SDK makes of a body that is not what Slack sends.
            raise out_of_reach(error, unknown=True) from None


def _delivery_id(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    payload = metadata.get("event_payload") or {}
    return str(payload.get("delivery_id"))


def _cursor(answer: AsyncSlackResponse) -> str | None:
    return (answer.get("response_metadata") or {}).get("next_cursor") or None


def _text(answer: AsyncSlackResponse, *path: str) -> str:
    """A string of the answer. An `ok` without what it promises tells nothing about what happened."""
    value: Any = answer.data
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise Failed(RetryLater("Slack answered ok without saying what it did", unknown=True, provider_down=True))
    return value
