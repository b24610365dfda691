"""Heartbeats of senders: alerts that always fire (Watchdog), whose absence says that nothing else would arrive either.

Pure: which alerts are beats, what is made of how long a sender has been silent, and what is told of it. They are no
heartbeat of Tocsin itself, which is streams/heartbeat.py. See docs/decisions/0037.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from models.alert import Alert, AlertGroup
from models.classification import matching
from models.heartbeat_rules import HeartbeatRule
from models.ourselves import Trouble, reported
from models.policy import Policy
from models.severity import Classification, Priority, Severity, describe
from models.signals import AlertsReported

UNDER_WAY = timedelta(minutes=1)
"""Given on top of a heartbeat's time to what is received and not read yet."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A sender was heard, or (`resolved`) said that the alert fires no more, which is no beat."""

    sender: str
    name: str
    at: datetime
    resolved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of one sender's heartbeat."""

    sender: str
    name: str
    awaited_since: datetime
    """Since when it could have been heard without a break: before that it is our own silence."""
    heard_at: datetime | None = None
    resolved_at: datetime | None = None
    missing_at: datetime | None = None
    """When it was found to be missing; that names the silence for ever."""
    told_at: datetime | None = None
    looked_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """The last sign of life, or when it began to be waited for."""
        return self.heard_at or self.awaited_since

    @property
    def key(self) -> str:
        """Of the incident that its silence opens."""
        return f"tocsin/heartbeat/{quote(self.sender, safe='')}/{self.name}"


TELL_AGAIN = timedelta(hours=1)
"""A silence that lasts is told again, as Prometheus repeats its alerts, so that its incident does not grow stale."""
Verdict = Literal["forgotten", "missing", "back", "to be told", "as before"]


def beats_of(group: AlertGroup, policy: Policy) -> tuple[AlertGroup, tuple[Beat, ...]]:
    """The group without the alerts that are heartbeats, and those. Costs nothing where the policy knows none."""
    if not policy.heartbeats:
        return group, ()
    told = [(alert, _rule_of(alert, group.sender, policy)) for alert in group.alerts]
    beats = [
        Beat(group.sender, rule.name, group.received_at, resolved=alert.status == "resolved")
        for alert, rule in told
        if rule is not None
    ]
    if not beats:
        return group, ()
    return replace(group, alerts=tuple(alert for alert, rule in told if rule is None)), tuple(beats)


def latest(beats: Iterable[Beat]) -> list[Beat]:
    """The last of each kind, in an order that is the same for everybody."""
    found: dict[tuple[str, str, bool], Beat] = {}
    for beat in beats:
        key = beat.sender, beat.name, beat.resolved
        if key not in found or found[key].at < beat.at:
            found[key] = beat
    return [found[key] for key in sorted(found)]


def _rule_of(alert: Alert, sender: str, policy: Policy) -> HeartbeatRule | None:
    return next(
        (rule for rule in policy.heartbeats if _is_for(rule, sender) and matching(rule.when, alert.labels)), None
    )


def _is_for(rule: HeartbeatRule, sender: str) -> bool:
    return not rule.senders or sender in rule.senders


def expected(policy: Policy) -> list[tuple[str, str]]:
    """Sender and heartbeat that are waited for though they were never heard."""
    return [(sender, rule.name) for rule in policy.heartbeats for sender in sorted(rule.senders)]


def rule_for(watched: Watched, policy: Policy) -> HeartbeatRule | None:
    """The rule that it is waited for by; None where the policy no longer does."""
    rules = (rule for rule in policy.heartbeats if rule.name == watched.name)
    return next((rule for rule in rules if _is_for(rule, watched.sender)), None)


def due_at(watched: Watched, rule: HeartbeatRule) -> datetime:
    """Until when the next beat has time: counted from the last one, but never from before we could have heard it."""
    return max(watched.since, watched.awaited_since) + rule.within


def judged(watched: Watched, policy: Policy, now: datetime) -> Verdict:
    """What has become of a heartbeat by now."""
    rule = rule_for(watched, policy)
    if rule is None:
        return "forgotten"
    if watched.missing_at is None:
        return "missing" if now > due_at(watched, rule) + UNDER_WAY else "as before"
    if watched.heard_at is not None and now <= watched.heard_at + rule.within:
        return "back"
    untold = watched.told_at is None or now - watched.told_at >= TELL_AGAIN
    return "to be told" if untold else "as before"


def judged_as(rule: HeartbeatRule, policy: Policy) -> tuple[Severity, Priority]:
    """How bad a silence is; where the policy does not say so, bad enough to page."""
    severity = rule.severity or Severity.SEV2
    priority = policy.priority(severity, rule.tier)
    if rule.severity is None and not policy.pages(priority):
        return Severity.SEV1, policy.priority(Severity.SEV1, rule.tier)
    return severity, priority


def silence(watched: Watched, policy: Policy, version: str) -> AlertsReported:
    """The signal that opens the incident, or reminds it: always the same until it was noted as told."""
    rule = rule_for(watched, policy)
    assert rule is not None, "of a heartbeat that the policy knows"
    assert watched.missing_at is not None, "of one that is missing"
    told = _silence_id(watched)
    signal_id = uuid.uuid5(told, watched.told_at.isoformat()) if watched.told_at else told
    signal = reported(_trouble(watched, rule), signal_id, watched.missing_at, policy, version)
    severity, priority = judged_as(rule, policy)
    why = f"a sender that is silent cannot report anything else: {severity} by heartbeat {rule.name}"
    matrix = f"{severity} on a tier {rule.tier.value} service is {priority}"
    alerts = tuple(replace(alert, starts_at=watched.since) for alert in signal.alerts)
    return replace(signal, alerts=alerts, classification=Classification(severity, priority, rule.tier, (why, matrix)))


def ending(watched: Watched, at: datetime, policy: Policy, version: str) -> AlertsReported:
    """The signal that ends it: the sender was heard again, or is waited for no more."""
    trouble = Trouble(key=watched.key, labels=_labels(watched), annotations={}, title="", summary="", why="")
    signal = reported(trouble, uuid.uuid5(_silence_id(watched), "ending"), at, policy, version)
    alerts = tuple(replace(alert, status="resolved", starts_at=watched.since) for alert in signal.alerts)
    return replace(signal, alerts=alerts, group_status="resolved")


def _silence_id(watched: Watched) -> uuid.UUID:
    assert watched.missing_at is not None, "of one that is missing"
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{watched.key}/{watched.missing_at.isoformat()}")


def _labels(watched: Watched) -> dict[str, str]:
    return {"alertname": "HeartbeatMissing", "sender": watched.sender, "heartbeat": watched.name}


def _trouble(watched: Watched, rule: HeartbeatRule) -> Trouble:
    said = " ".join(_said(watched, rule))
    return Trouble(
        key=watched.key,
        labels=_labels(watched),
        annotations={"description": said},
        title=f"Nothing is heard from {watched.sender}"[:300],
        summary=said,
        why="",
    )


def _said(watched: Watched, rule: HeartbeatRule) -> Iterator[str]:
    span = describe(rule.within)
    if watched.heard_at is None:
        yield f"The heartbeat {rule.name} of {watched.sender} was never heard since {_instant(watched.awaited_since)}"
    else:
        yield f"The heartbeat {rule.name} of {watched.sender} was last heard at {_instant(watched.heard_at)}"
    yield f"and is expected every {span} at least."
    if watched.resolved_at is not None and watched.resolved_at >= watched.since:
        yield f"Its Alertmanager said at {_instant(watched.resolved_at)} that the alert fires no more."
    yield "Its Prometheus or Alertmanager is down or cannot reach Tocsin, so no other alert arrives."
    yield "See `tocsin heartbeats`."


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
