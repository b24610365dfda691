"""The record on `alertmanager.webhooks`: the body as received, stamped in headers by the receiver that accepted it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from models.records import Outgoing, Record, Unreadable


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the receiver knows of a webhook. `webhook_id` is minted once per accepted POST; every later id derives
    from it.
    """

    webhook_id: uuid.UUID
    sender: str
    received_at: datetime
    probe: bool = False
    """Tocsin's own heartbeat, which carries no alerts."""


def webhook_record(topic: str, stamp: Stamp, group_key: str, body: bytes) -> Outgoing:
    """Keyed by sender and groupKey, so that one group's webhooks stay in order."""
    headers = {
        "webhook_id": str(stamp.webhook_id).encode(),
        "sender": stamp.sender.encode(),
        "received_at": stamp.received_at.isoformat().encode(),
    }
    if stamp.probe:
        headers["probe"] = b"1"
    return Outgoing(topic, f"{stamp.sender}/{group_key}".encode(), body, headers)


def read_stamp(record: Record) -> Stamp:
    """The stamp of a record. Raises Unreadable for one that our receiver did not write."""
    try:
        return Stamp(
            webhook_id=uuid.UUID(record.headers["webhook_id"].decode()),
            sender=record.headers["sender"].decode(),
            received_at=datetime.fromisoformat(record.headers["received_at"].decode()),
            probe="probe" in record.headers,
        )
    except (KeyError, ValueError) as error:
        message = f"the record was not stamped by the receiver: {error!r}"
        raise Unreadable(message) from None
