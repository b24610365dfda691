"""What becomes of a record that cannot be handled: it is kept with its reason, and its sender's silence becomes an
incident.

Refusals are loud: an alert that cannot be read would otherwise never page. Once per sender and reason, because
further ones join the same incident. Never decides whether a record is readable.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from models.ourselves import Trouble, reported
from models.policy import Policy
from models.records import Outgoing, Record
from models.signals import encode_signal

LONGEST_REASON = 500
MOST_BYTES = 11 * 1024 * 1024
"""Of key and value; a letter is larger than its record, and one that no broker takes would be tried for ever."""
KEPT_OF_TOO_LARGE, KEPT_OF_OTHERS = 64 * 1024, 1024
"""Bytes of the value, and of the key and each header."""

_KEY = "tocsin/unreadable"
_MADE_UP = re.compile(r"\b(labels|annotations)\..*: ", re.DOTALL)
_SAID_BY_SENDER = re.compile(r"[0-9]+|'.*'|“.*”|[\x00-\x1f\x7f]", re.DOTALL)
"""What differs between reasons of one kind."""


@dataclass(frozen=True, slots=True)
class Burial:
    """Where dead letters go, and under which policy they are told."""

    dead_letters_topic: str
    signals_topic: str
    policy: Policy
    policy_version: str


def bury(record: Record, reason: str, at: datetime, burial: Burial) -> list[Outgoing]:
    """The dead letter of `record`, and the signal that opens (or joins) its sender's incident."""
    reason = reason[:LONGEST_REASON]
    place = f"{record.topic}/{record.partition}/{record.offset}"
    sender = record.headers.get("sender", b"tocsin").decode(errors="replace")
    letter_id = uuid.uuid5(uuid.NAMESPACE_URL, f"dead-letter/{place}")
    if len(record.key or b"") + len(record.value or b"") > MOST_BYTES:
        record = beginning(record)
    dead = Outgoing(record.topic, record.key or b"", record.value or b"", record.headers)
    letter = _letter(dead, reason, at, letter_id, burial)
    if record.key is not None and record.key.startswith(_KEY.encode()):
        return [letter]  # the news of a dead letter died itself: keep it, but do not chase our own tail
    return [letter, unreadable(sender, reason, at, letter_id, burial)]


def beginning(record: Record) -> Record:
    """What is kept of a record whose dead letter would be larger than a record may be."""
    headers = {name: value[:KEPT_OF_OTHERS] for name, value in list(record.headers.items())[:32]}
    key = None if record.key is None else record.key[:KEPT_OF_OTHERS]
    value = None if record.value is None else record.value[:KEPT_OF_TOO_LARGE]
    return replace(record, key=key, value=value, headers=headers)


def refuse(  # noqa: PLR0913 (a refusal is: who sent what to where, why and when)
    topic: str, sender: str, body: bytes, reason: str, at: datetime, letter_id: uuid.UUID, burial: Burial
) -> list[Outgoing]:
    """The same for a body that the receiver refused, from an authenticated sender."""
    reason = reason[:LONGEST_REASON]
    headers = {"sender": sender.encode(), "webhook_id": str(letter_id).encode(), "received_at": at.isoformat().encode()}
    letter = _letter(Outgoing(topic, sender.encode(), body, headers), reason, at, letter_id, burial)
    return [letter, unreadable(sender, reason, at, letter_id, burial)]


def unreadable(sender: str, reason: str, at: datetime, letter_id: uuid.UUID, burial: Burial) -> Outgoing:
    """SEV2: an alert could not be read. Its key is sender and kind of reason, so that repeats join; as one and the same
    alert, so that the incident does not grow while a sender goes on.
    """
    trouble = Trouble(
        key=f"{_KEY}/{sender}/{_kind(reason)}",
        labels={"alertname": "UnreadableAlert", "sender": sender},
        annotations={"description": reason, "dead_letter": str(letter_id)},
        title=f"An alert from {sender} could not be read",
        summary=f"{reason}. It is kept as dead letter {letter_id}; see `tocsin dead-letters list`.",
        why="an alert that cannot be read could be any alert: SEV2",
    )
    signal_id = uuid.uuid5(letter_id, "unreadable")
    signal = reported(trouble, signal_id, at, burial.policy, burial.policy_version)
    return Outgoing(burial.signals_topic, signal.key.encode(), encode_signal(signal))


def _kind(reason: str) -> str:
    """`reason` without what its sender made up: numbers, names of labels, control characters."""
    general = _SAID_BY_SENDER.sub("N", _MADE_UP.sub(r"\1: ", reason))
    return "".join(character for character in general if character.isprintable())[:80]


def _letter(dead: Outgoing, reason: str, at: datetime, letter_id: uuid.UUID, burial: Burial) -> Outgoing:
    about = {
        "dead_letter_id": str(letter_id).encode(),
        "dead_topic": dead.topic.encode(),
        "dead_reason": reason.encode(),
        "dead_at": at.isoformat().encode(),
    }
    return Outgoing(burial.dead_letters_topic, dead.key, dead.value, {**dead.headers, **about})
