"""What an incident remembers of its alerts, and how that changes. A part of its state (models/state.py); pure.

It is written anew with every step, so it is bounded by what fires: of what has resolved only the latest are remembered,
for reports that arrive late (docs/decisions/0017), and the others are a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from models.alert import Alert

REMEMBERED = 100
"""Resolved alerts that are remembered, and those that resolved in the same report as the last of them."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """What is remembered of one alert; its labels are in the log."""

    firing: bool
    starts_at: datetime
    group: str
    told_at: datetime
    """When the report that made it so was received."""


@dataclass(frozen=True, slots=True)
class MutedAlert:
    """A firing that a person's resolve silenced."""

    starts_at: datetime
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAlerts:
    """Alerts by fingerprint. `muted` may name some that are known only to the generation before."""

    states: Mapping[str, AlertState] = field(default_factory=dict)
    forgotten: int = 0
    """How many have resolved and are remembered no more."""
    unlisted: frozenset[str] = frozenset()
    """Groups that hold firing alerts which they do not list."""
    muted: Mapping[str, MutedAlert] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many there have been; one that comes back after it was forgotten counts anew."""
        return len(self.states) + self.forgotten

    @property
    def firing(self) -> list[str]:
        """Fingerprints of those that fire."""
        return [fingerprint for fingerprint, state in self.states.items() if state.firing]

    def fires(self, alert: Alert) -> bool:
        """True when exactly this firing of the alert is known already."""
        known = self.states.get(alert.fingerprint)
        return known is not None and known.firing and known.starts_at == alert.starts_at

    def silences(self, alert: Alert) -> bool:
        """True when a person's resolve has muted this firing."""
        muted = self.muted.get(alert.fingerprint)
        return muted is not None and muted.starts_at == alert.starts_at

    def overrules(self, alert: Alert, received_at: datetime) -> bool:
        """True when a report received after `received_at` has told the contrary of this firing, or of a later one."""
        known = self.states.get(alert.fingerprint)
        contrary = known is not None and known.firing != (alert.status == "firing")
        return contrary and known is not None and received_at < known.told_at and alert.starts_at <= known.starts_at

    def ended_by(self, listed: Iterable[str], group: str | None, received_at: datetime) -> tuple[str, ...]:
        """Those waited for that end with a report: the `listed`, and all of a `group` that resolved as a whole."""
        named = set(listed)
        known = {fingerprint: self.states[fingerprint] for fingerprint in self.firing}
        ended = (
            fingerprint
            for fingerprint, state in known.items()
            if fingerprint in named or (state.group == group and state.told_at <= received_at)
        )
        inherited = (
            fingerprint
            for fingerprint, muted in self.muted.items()
            if fingerprint not in known and (fingerprint in named or muted.group == group)
        )
        return (*ended, *inherited)

    def joined(self, alerts: Iterable[Alert], group: str, received_at: datetime) -> KnownAlerts:
        """They fire; what was muted was an earlier firing."""
        new = {
            alert.fingerprint: AlertState(firing=True, starts_at=alert.starts_at, group=group, told_at=received_at)
            for alert in alerts
        }
        return replace(self, states={**self.states, **new}, muted=_without(self.muted, new))

    def resolved(self, fingerprints: Iterable[str], received_at: datetime) -> KnownAlerts:
        """They fire no more, and may fire again."""
        gone = set(fingerprints)
        states = {
            fingerprint: replace(state, firing=False, told_at=received_at) if fingerprint in gone else state
            for fingerprint, state in self.states.items()
        }
        return _bounded(replace(self, states=states, muted=_without(self.muted, gone)))

    def muting(self, alerts: Mapping[str, MutedAlert]) -> KnownAlerts:
        """They stay silent until they were seen resolved."""
        return replace(self, muted={**self.muted, **alerts})

    def truncated(self, group: str, *, unlisted: bool) -> KnownAlerts:
        """`group` holds alerts that it does not list, or no longer."""
        return replace(self, unlisted=self.unlisted | {group} if unlisted else self.unlisted - {group})

    def closed(self) -> KnownAlerts:
        """No group is waited for to list what it holds."""
        return replace(self, unlisted=frozenset())


def _bounded(known: KnownAlerts) -> KnownAlerts:
    resolved = sorted(state.told_at for state in known.states.values() if not state.firing)
    if len(resolved) <= REMEMBERED:
        return known
    kept = {
        fingerprint: state
        for fingerprint, state in known.states.items()
        if state.firing or state.told_at >= resolved[-REMEMBERED]
    }
    return replace(known, states=kept, forgotten=known.forgotten + len(known.states) - len(kept))


def _without(muted: Mapping[str, MutedAlert], gone: Iterable[str]) -> Mapping[str, MutedAlert]:
    ended = set(gone)
    return {fingerprint: one for fingerprint, one in muted.items() if fingerprint not in ended}
