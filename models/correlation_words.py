"""What people are told of which incidents belong together. Pure; one line each."""

from __future__ import annotations

from collections.abc import Iterator

from models.channels import Told
from models.correlation_events import (
    AlertsElsewhere,
    AlertsHandedOn,
    AttachmentStands,
    CorrelationEvent,
    IncidentAttached,
    IncidentDetached,
    IncidentFrozen,
    IncidentsCollected,
    StormGoesOn,
)
from models.deliveries import DeliveryKind, Message
from models.signals import AlertsReported
from models.state import Incident

_NAMED = 5
"""Incidents that are named in one message."""


def told(event: CorrelationEvent, before: Incident | None) -> Iterator[Told]:
    """To whom `event` is said. A storm collects by the hundred and is not told of each."""
    match event:
        case IncidentsCollected() if before is not None and not _worth_telling(
            before.correlated.collected, before.correlated.collected + len(event.incidents)
        ):
            return
        case AlertsHandedOn(report=report) if before is not None and not _is_news(report, before):
            return
        case IncidentAttached() | IncidentDetached() | IncidentsCollected() | IncidentFrozen() | AlertsHandedOn():
            yield DeliveryKind.NOTICE, Message(said(event), by=getattr(event, "by", None)), None
            yield DeliveryKind.REFRESH, None, None
        case StormGoesOn():
            yield DeliveryKind.REFRESH, None, None
        case AttachmentStands() | AlertsElsewhere():
            return


def said(event: CorrelationEvent) -> str:
    """One line, for every kind."""
    match event:
        case IncidentAttached(number=number, why=why):
            other = number or ("a storm" if event.reason == "storm" else event.parent)
            return f"Attached to {other}, which pages for both: {why}"
        case AttachmentStands():
            return "What it is attached to is still open"
        case IncidentDetached(why=why):
            return f"On its own again: {why}"
        case IncidentsCollected(incidents=incidents):
            names = "; ".join(f"{one.number} ({one.severity}, {one.title[:80]})" for one in incidents[:_NAMED])
            more = f" and {len(incidents) - _NAMED} more" if len(incidents) > _NAMED else ""
            return f"This one pages for {names}{more}: {incidents[0].why}"
        case StormGoesOn(open=count):
            return f"{count} of the incidents that it has collected are still open"
        case IncidentFrozen(frozen=frozen, by=by):
            return f"Frozen by {by}: it takes no more alerts" if frozen else f"Takes alerts again, says {by}"
        case AlertsHandedOn(report=report, to=to):
            names = ", ".join(dict.fromkeys(alert.labels.get("alertname", "an alert") for alert in report.alerts))
            return f"{names or 'The end of a group'} went to {to}, because this one is frozen"
        case AlertsElsewhere(alerts=alerts):
            return f"{len(alerts)} alerts belong to an incident beside this one"


def _is_news(report: AlertsReported, before: Incident) -> bool:
    """Alertmanager repeats itself; what went there before goes there again."""
    return any(one.status == "firing" and one.fingerprint not in before.correlated.elsewhere for one in report.alerts)


def _worth_telling(before: int, after: int) -> bool:
    """At 1, 2, 5, 10, 20, 50 … of them."""
    return any(before < step * 10**power <= after for power in range(6) for step in (1, 2, 5))
