"""Stands in for a provider without credentials: renders what would be sent, and writes it down instead.

Owns `recorded/<provider>.jsonl` in the data directory, one line per delivery. Never speaks to anybody.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, assert_never

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
from models.oncall.handoff import HandoffNote
from notifiers.payloads import page, ticket
from notifiers.render import (
    Payload,
    TemplateFault,
    handoff_prose,
    page_prose,
    pagerduty_event,
    prose,
    publication,
    slack_channel_name,
    slack_message,
    slack_place,
    slack_topic,
)

_K = DeliveryKind
_EDITED = ((_K.ANNOUNCEMENT, "announcement"), (_K.INITIAL_REPORT, "report"))
_in_json = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""`json.dumps` would make a new encoder for each line."""
_KEEP_BYTES = 32 * 1024 * 1024
"""Past this a new file is begun and one old file is kept."""


class Recorder:
    """`why` completes the sentence “recorded, not sent: …”. Without `pages` it takes none: where others are paged for
    real, one that is only written down reaches nobody.
    """

    recording = True

    def __init__(self, provider: Provider, folder: Path, why: str, *, pages: bool = True) -> None:
        self._provider = provider
        self._file = folder / f"{provider}.jsonl"
        self._why = why
        self._pages = pages

    @property
    def provider(self) -> Provider:
        """See the port."""
        return self._provider

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port. Receipts are such that later deliveries render as they would for the provider."""
        if delivery.provider is not self._provider:
            return Refused(f"a {delivery.kind} is not for {self._provider}")
        if delivery.kind is _K.PAGE and not self._pages:
            return Refused(f"nobody is reached by {self._provider}: {self._why}")
        try:
            payload = _payload(delivery, receipts)
        except TemplateFault as fault:
            return Refused(str(fault))
        line = {
            "delivery_id": str(delivery.id),
            "kind": str(delivery.kind),
            "number": delivery.incident.number if delivery.incident else None,
            "at": delivery.incident.at.isoformat() if delivery.incident else None,
            "payload": payload,
        }
        try:
            self._append(_in_json(line) + "\n")
        except OSError as error:
            return RetryLater(f"{self._file} cannot be written: {error.strerror}", provider_down=True)
        return Delivered(f"recorded, not sent: {self._why}", _receipts(delivery, receipts), recorded=True)

    async def check(self) -> str | None:
        """See the port. Recording is a choice, not a fault."""
        return None

    async def close(self) -> None:
        """See the port."""

    def _append(self, line: str) -> None:
        """One write, so that lines of several workers never mix."""
        try:
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except FileNotFoundError:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            data = line.encode()
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            full = os.fstat(file).st_size > _KEEP_BYTES
        finally:
            os.close(file)
        if full:
            self._file.replace(self._file.with_suffix(".jsonl.old"))


def _payload(delivery: Delivery, receipts: Receipts) -> Any:
    match delivery.kind:
        case _K.PAGE | _K.PAGE_ACKNOWLEDGE | _K.PAGE_RESOLVE:
            return _page(delivery)
        case _K.PUBLICATION:
            published = publication(delivery)
            return {name: getattr(published, name) for name in published.__slots__}
        case _K.EMAIL_REPORT | _K.EMAIL_NOTICE | _K.EMAIL_UPDATE | _K.EMAIL_RESOLUTION:
            told = prose(delivery)
            return {"to": delivery.message.to if delivery.message else None, "subject": told.subject, "text": told.text}
        case _K.EMAIL_HANDOFF:
            told = handoff_prose(_note(delivery))
            return {"to": delivery.message.to if delivery.message else None, "subject": told.subject, "text": told.text}
        case _K.TICKET | _K.TICKET_UPDATE | _K.TICKET_RESOLUTION:
            return ticket(delivery, receipts)
        case _K.CHANNEL:
            incident = _incident(delivery)
            return {"name": slack_channel_name(incident), "topic": slack_topic(incident)}
        case _K.REFRESH:
            return {
                str(kind): _edit(kind, prefix, delivery, receipts)
                for kind, prefix in _EDITED
                if f"{prefix}_ts" in receipts
            }
        case (
            _K.ANNOUNCEMENT
            | _K.INITIAL_REPORT
            | _K.NOTICE
            | _K.STATUS_UPDATE
            | _K.RESOLUTION
            | _K.PAGE_FALLBACK
            | _K.REMINDER
            | _K.MENTION
            | _K.MAINTENANCE
            | _K.HANDOFF
        ):
            place = slack_place(delivery, receipts)
            thread = {"thread_ts": place.thread} if place.thread else {}
            return {"channel": place.channel, **thread, **slack_message(delivery, receipts)}
        case _:
            assert_never(delivery.kind)


def _page(delivery: Delivery) -> Payload:
    match delivery.provider:
        case Provider.EMAIL:
            told = page_prose(delivery)
            return {"to": delivery.page.email if delivery.page else None, "subject": told.subject, "text": told.text}
        case Provider.WEBHOOK:
            return page(delivery)
        case _:
            return pagerduty_event(delivery)


def _edit(kind: DeliveryKind, prefix: str, delivery: Delivery, receipts: Receipts) -> Payload:
    """What `chat.update` would have been called with."""
    where = {"channel": receipts[f"{prefix}_channel"], "ts": receipts[f"{prefix}_ts"]}
    return {**where, **slack_message(delivery, receipts, template=kind)}


def _receipts(delivery: Delivery, receipts: Receipts) -> Receipts:
    stamp = f"{delivery.incident.at.timestamp():.6f}" if delivery.incident else ""
    match delivery.kind:
        case _K.PAGE if delivery.page is not None:
            return {f"page/{delivery.page.ordinal}": delivery.page.dedup_key}
        case _K.TICKET:
            return {"ticket": _incident(delivery).number}
        case _K.CHANNEL:
            return {"channel": slack_channel_name(_incident(delivery))}
        case _K.ANNOUNCEMENT:
            return {"announcement_channel": slack_place(delivery, receipts).channel, "announcement_ts": stamp}
        case _K.INITIAL_REPORT:
            return {"report_channel": slack_place(delivery, receipts).channel, "report_ts": stamp}
        case _:
            return {}


def _note(delivery: Delivery) -> HandoffNote:
    if delivery.handoff is None:
        raise TemplateFault(f"a {delivery.kind} needs its note")
    return delivery.handoff


def _incident(delivery: Delivery) -> IncidentFacts:
    if delivery.incident is None:
        raise TemplateFault(f"a {delivery.kind} needs its incident")
    return delivery.incident
