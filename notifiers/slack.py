"""Slack: the incident's channel, its messages there and in `#incidents`, edited in place as things change.

Owns what is said where, and how an unknown outcome is read back: every message carries its delivery's id as metadata.
One attempt per call: never sleeps, never retries. Pacing (one message a second per channel) is the delivery agent's.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta

from models.deliveries import (
    Delivered,
    Delivery,
    DeliveryKind,
    IncidentFacts,
    Outcome,
    Provider,
    Receipts,
    Refused,
    RetryLater,
)
from notifiers.render import Payload, TemplateFault, slack_channel_name, slack_message, slack_place, slack_topic
from notifiers.slack_api import API_URL, SlackApi
from notifiers.slack_faults import Failed, scope_is_no_outage

_K = DeliveryKind
_NEEDS_INCIDENT = frozenset(_K) - {_K.REMINDER, _K.MAINTENANCE, _K.HANDOFF}
_NEEDS_MESSAGE = {
    _K.NOTICE,
    _K.STATUS_UPDATE,
    _K.RESOLUTION,
    _K.PAGE_FALLBACK,
    _K.REMINDER,
    _K.MENTION,
    _K.MAINTENANCE,
    _K.HANDOFF,
}
_LOOK_BACK = timedelta(minutes=10)
"""How far clocks may differ between us and Slack when a message is looked for."""
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}


class SlackNotifier:
    """Speaks as the bot that `token` belongs to. `api_url` may point anywhere; `tls` carries another CA bundle.

    One request may take `timeout`, one attempt with all its looking three times that. `buttons` says that
    somebody hears them pressed.
    """

    provider = Provider.SLACK
    recording = False

    def __init__(
        self,
        token: str,
        *,
        api_url: str = API_URL,
        tls: ssl.SSLContext | None = None,
        timeout: timedelta = timedelta(seconds=10),
        buttons: bool = False,
    ) -> None:
        self._buttons = buttons
        self._api = SlackApi(token, api_url, tls, timeout)
        self._attempt_within = 3 * timeout

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port."""
        lacking = _lacking(delivery)
        if lacking:
            return Refused(
                f"a {delivery.kind} without its {lacking} cannot be sent; a fault of Tocsin, please report it"
            )
        try:
            async with asyncio.timeout(self._attempt_within.total_seconds()):
                return await self._send(delivery, receipts, read_back=read_back)
        except TimeoutError:
            return RetryLater("Slack is too slow", unknown=True, provider_down=True)
        except Failed as failed:
            # Until somebody has looked, the earlier attempt's fate stays unknown.
            if read_back and isinstance(failed.outcome, RetryLater):
                return replace(failed.outcome, unknown=True)
            return failed.outcome
        except TemplateFault as fault:
            return Refused(str(fault))

    async def check(self) -> str | None:
        """See the port."""
        try:
            missing = await self._api.missing_scopes()
        except Failed as failed:
            return failed.outcome.reason
        return f"Slack: give the bot the scopes {', '.join(missing)} and install it again" if missing else None

    async def close(self) -> None:
        """See the port."""
        await self._api.close()

    async def _send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        match delivery.kind:
            case _K.CHANNEL:
                return await self._create_channel(_incident(delivery))
            case _K.REFRESH:
                return await self._refresh(delivery, receipts)
            case _:
                return await self._post(delivery, receipts, read_back=read_back)

    async def _create_channel(self, incident: IncidentFacts) -> Outcome:
        """Creates or adopts: a name that is taken is this incident's own, because it carries the incident's number."""
        name = slack_channel_name(incident)
        try:
            created = await self._api.create_channel(name)
            channel = created or await self._api.adopt_channel(name)
        except Failed as failed:
            raise scope_is_no_outage(failed) from None
        detail = f"channel #{name} {'created' if created else 'was there already'}"
        try:
            await self._api.set_topic(channel, slack_topic(incident))
        except Failed as failed:
            # The channel is what matters, and its id must not be lost for the sake of its topic.
            detail += f"; its topic was not set: {failed.outcome.reason}"
        return Delivered(detail, {"channel": channel})

    async def _post(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        place = slack_place(delivery, receipts)
        message = slack_message(delivery, receipts, buttons=self._buttons)
        since = delivery.incident.at - _LOOK_BACK if delivery.incident else None
        posted = await self._api.find(place, delivery.id, since) if read_back else None
        how = "was there already" if posted else "posted"
        if posted is None:
            posted = await self._api.post(place, message, delivery.id)
        channel, ts = posted
        return Delivered(f"{delivery.kind.replace('_', ' ')} {how}", _receipts(delivery.kind, channel, ts))

    async def _refresh(self, delivery: Delivery, receipts: Receipts) -> Outcome:
        """Edits what there is; a message that somebody deleted stays deleted."""
        edited: list[str] = []
        for kind, prefix in ((_K.ANNOUNCEMENT, "announcement"), (_K.INITIAL_REPORT, "report")):
            channel, ts = receipts.get(f"{prefix}_channel"), receipts.get(f"{prefix}_ts")
            if not channel or not ts:
                continue
            message: Payload = slack_message(delivery, receipts, template=kind, buttons=self._buttons)
            try:
                await self._api.update(channel, ts, message)
            except Failed as failed:
                if failed.code not in _GONE:
                    raise
                continue
            edited.append(str(kind).replace("_", " "))
        return Delivered(f"edited in place: {', '.join(edited)}" if edited else "nothing there to be edited")


def _incident(delivery: Delivery) -> IncidentFacts:
    assert delivery.incident is not None, "checked by _lacking"
    return delivery.incident


def _lacking(delivery: Delivery) -> str | None:
    if delivery.provider is not Provider.SLACK:
        return "place in Slack"
    if delivery.incident is None and delivery.kind in _NEEDS_INCIDENT:
        return "incident"
    if delivery.kind is _K.HANDOFF and delivery.handoff is None:
        return "note"
    return "message" if delivery.message is None and delivery.kind in _NEEDS_MESSAGE else None


def _receipts(kind: DeliveryKind, channel: str, ts: str) -> Receipts:
    """Only what later deliveries edit or answer to is remembered."""
    match kind:
        case _K.ANNOUNCEMENT:
            return {"announcement_channel": channel, "announcement_ts": ts}
        case _K.INITIAL_REPORT:
            return {"report_channel": channel, "report_ts": ts}
        case _:
            return {}
