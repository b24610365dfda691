"""Reads webhooks, and publishes what they report (models/reports.py) as signals of the incident keys.

Stateless but for two notes: when senders were heard, and which incidents had alerts of which group. That is asked for
when a group has resolved, which resolves also what it does not list: cut off by `max_alerts`, or forgotten by an
Alertmanager that was killed. What a policy's queries give is asked once for a whole batch; what comes back stays in
the signal, and what does not holds up nobody. What no record could hold becomes several signals of one key. Never opens
or changes an incident.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agents.ports import Beats, Groups
from models import report_parts, webhook_record
from models.alert import AlertGroup, read_webhook
from models.heartbeats import Beat, beats_of
from models.policy import Policy
from models.rates import Answer, Answers, asks, questions
from models.records import Outgoing, Publish, Record, Unreadable
from models.reports import group_of, listing_none, signals_of
from models.severity import Severity
from models.signals import AlertsReported, PathProbed, Signal, encode_signal

_log = logging.getLogger(__name__)


Lookup = Callable[[Sequence[str], timedelta], Awaitable[Answers]]
"""What queries give, all of them within a time. Never raises: an answer that fails to come is one without a number."""


async def nobody_to_ask(queries: Sequence[str], _: timedelta) -> Answers:
    """The lookup of a Tocsin that knows no Prometheus."""
    return dict.fromkeys(queries, Answer(None, "TOCSIN_PROMETHEUS_URL is not set"))


@dataclass(frozen=True, slots=True)
class TriagePorts:
    """What triage needs from outside. `signals_topic` takes what it makes."""

    policy: Policy
    policy_version: str
    publish: Publish
    groups: Groups
    signals_topic: str
    beats: Beats
    lookup: Lookup = nobody_to_ask


@dataclass(frozen=True, slots=True)
class _Heard:
    """One webhook and its signals; a probe has no group."""

    group: AlertGroup | None
    signals: Sequence[Signal]
    beats: Sequence[Beat] = ()

    @property
    def group_id(self) -> str:
        return group_of(self.group) if self.group else ""

    @property
    def resolves(self) -> bool:
        return self.group is not None and self.group.status == "resolved"


async def run(batch: Sequence[Record], ports: TriagePorts) -> None:
    """Publishes the signals of every webhook, in the order received. Raises Unreadable for one that cannot be read."""
    read = [_parted(_read(record), ports.policy) for record in batch]
    answers = await _answers([group for group, _ in read if isinstance(group, AlertGroup)], ports)
    heard = [_heard(one, beats, answers, ports) for one, beats in read]
    told = {pair for one in heard for pair in _fires_in(one)}
    keys = await _keys(heard, told, ports)
    signals = [signal for one in heard for signal in (*one.signals, *_unlisted(one, keys, ports))]
    for signal in signals:
        _note_if_only_logged(signal)
    beats = [beat for one in heard for beat in one.beats]
    # Side by side: a group's next webhook is in a later batch, or found in `told`.
    await asyncio.gather(
        ports.publish([outgoing for signal in signals for outgoing in _outgoing(ports.signals_topic, signal)]),
        *([ports.groups.remember_groups(told)] if told else []),
        *([ports.beats.remember_beats(beats)] if beats else []),
    )


def _note_if_only_logged(signal: Signal) -> None:
    """POLICY 1: INFO is logged, and opens nothing."""
    if isinstance(signal, AlertsReported) and signal.alerts and signal.classification.severity is Severity.INFO:
        _log.info(
            "INFO, logged only: %r from %s (%s)", signal.title, signal.sender, "; ".join(signal.classification.why)
        )


def _read(record: Record) -> AlertGroup | PathProbed:
    stamp = webhook_record.read_stamp(record)
    if stamp.probe:
        return PathProbed(id=probe_signal_id(stamp.webhook_id), key=f"tocsin/probe/{stamp.webhook_id}")
    if record.value is None:
        message = "the record has no value"
        raise Unreadable(message)
    return read_webhook(record.value, webhook_id=stamp.webhook_id, sender=stamp.sender, received_at=stamp.received_at)


def _parted(read: AlertGroup | PathProbed, policy: Policy) -> tuple[AlertGroup | PathProbed, Sequence[Beat]]:
    return beats_of(read, policy) if isinstance(read, AlertGroup) else (read, ())


async def _answers(groups: Iterable[AlertGroup], ports: TriagePorts) -> Answers:
    if not asks(ports.policy):
        return {}
    firing = (alert for group in groups for alert in group.alerts if alert.status == "firing")
    queries = list(dict.fromkeys(query for alert in firing for query in questions(alert, ports.policy)))
    return await ports.lookup(queries, ports.policy.classification.answer_within) if queries else {}


def _heard(read: AlertGroup | PathProbed, beats: Sequence[Beat], answers: Answers, ports: TriagePorts) -> _Heard:
    if isinstance(read, PathProbed):
        return _Heard(None, [read])
    if beats and not read.alerts:
        return _Heard(read, (), beats)
    return _Heard(read, signals_of(read, ports.policy, ports.policy_version, answers), beats)


def _fires_in(heard: _Heard) -> list[tuple[str, str]]:
    if heard.group is None or heard.resolves:
        return []
    return [(heard.group_id, signal.key) for signal in heard.signals]


async def _keys(heard: Sequence[_Heard], told: Collection[tuple[str, str]], ports: TriagePorts) -> dict[str, set[str]]:
    """What groups that have resolved were told to: before, and in this very batch."""
    resolved = sorted({one.group_id for one in heard if one.resolves})
    before = await ports.groups.keys_of_groups(resolved) if resolved else {}
    return {group: {*before.get(group, ()), *(key for known, key in told if known == group)} for group in resolved}


def _unlisted(heard: _Heard, keys: Mapping[str, Collection[str]], ports: TriagePorts) -> list[Signal]:
    """Tells the other incidents that had alerts of a group which resolved as a whole."""
    group = heard.group
    if group is None or not heard.resolves:
        return []
    told = {signal.key for signal in heard.signals}
    return [
        listing_none(group, key, ports.policy, ports.policy_version) for key in sorted(set(keys[heard.group_id]) - told)
    ]


def _outgoing(topic: str, signal: Signal) -> Iterator[Outgoing]:
    """The record for the topic, or several, in order, where it would be too large."""
    value = encode_signal(signal)
    if len(value) <= report_parts.MOST_BYTES or not isinstance(signal, AlertsReported):
        yield Outgoing(topic, signal.key.encode(), value)
        return
    for part in report_parts.parts(signal):
        yield Outgoing(topic, part.key.encode(), encode_signal(part))


def probe_signal_id(webhook_id: uuid.UUID) -> uuid.UUID:
    """The id of the signal that a probe becomes, by which its arrival is recognised."""
    return uuid.uuid5(webhook_id, "probe")
