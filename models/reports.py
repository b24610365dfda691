"""What one webhook reports, as signals: one per incident key, carrying its alerts, their severity, priority and the
reasons. Pure: what was asked for is in the answers that it is given. Never opens or changes an incident.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from models.alert import Alert, AlertGroup
from models.classification import classify, environment_of, incident_key, service_of
from models.policy import Policy
from models.rates import Answers
from models.records import Unreadable
from models.signals import AlertsReported

_TITLE, _SUMMARY = 300, 2000
"""Characters that travel in every message; the whole text stays in the log, with the alert."""
_LONGEST_LINK = 2000


def signals_of(
    group: AlertGroup, policy: Policy, policy_version: str, answers: Answers = MappingProxyType({})
) -> list[AlertsReported]:
    """One signal per incident key among the group's alerts, in the order of their first alert. Raises Unreadable for
    none.
    """
    if not group.alerts:
        message = "alerts: the webhook holds no alert"
        raise Unreadable(message)
    by_key: dict[str, list[Alert]] = {}
    for alert in group.alerts:
        by_key.setdefault(incident_key(alert.labels, policy), []).append(alert)
    return [_reported(group, key, alerts, policy, policy_version, answers) for key, alerts in by_key.items()]


def _reported(
    group: AlertGroup, key: str, alerts: Sequence[Alert], policy: Policy, policy_version: str, answers: Answers
) -> AlertsReported:
    first = next((alert for alert in alerts if alert.status == "firing"), alerts[0])
    service = service_of(first.labels, policy)
    name = first.labels.get("alertname") or "Alert"
    return AlertsReported(
        id=uuid.uuid5(group.webhook_id, key),
        key=key,
        sender=group.sender,
        group=group_of(group),
        group_status=group.status,
        truncated=group.truncated,
        alerts=tuple(alerts),
        received_at=group.received_at,
        title=f"{name} on {service}"[:_TITLE],
        summary=(first.annotations.get("summary") or first.annotations.get("description", ""))[:_SUMMARY],
        service=service,
        environment=environment_of(first.labels, policy),
        links=_links(first, policy, group),
        classification=classify(alerts, policy, group.received_at, answers),
        policy_version=policy_version,
    )


def listing_none(group: AlertGroup, key: str, policy: Policy, policy_version: str) -> AlertsReported:
    """Tells an incident that a group of its alerts has resolved, although the message lists none of them."""
    return AlertsReported(
        id=uuid.uuid5(group.webhook_id, key),
        key=key,
        sender=group.sender,
        group=group_of(group),
        group_status=group.status,
        truncated=group.truncated,
        alerts=(),
        received_at=group.received_at,
        title="",
        summary="",
        service="",
        environment="",
        links={},
        classification=classify((), policy, group.received_at),
        policy_version=policy_version,
    )


def group_of(group: AlertGroup) -> str:
    """Sender and groupKey: what a resolved group resolves by."""
    return f"{group.sender}/{group.group_key}"


def _links(alert: Alert, policy: Policy, group: AlertGroup) -> Mapping[str, str]:
    """Only web addresses, and none without end: a link goes into messages that people click at three in the morning.
    POLICY 7.
    """
    entry = policy.services.get(service_of(alert.labels, policy))
    candidates = {
        "runbook": alert.annotations.get("runbook_url")
        or alert.annotations.get("runbook")
        or (entry and entry.runbook_url),
        "dashboard": alert.annotations.get("dashboard_url")
        or alert.annotations.get("dashboard")
        or (entry and entry.dashboard_url),
        "source": alert.generator_url,
        "alertmanager": group.external_url,
    }
    return {name: url for name, url in candidates.items() if url and _is_link(url)}


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://")) and len(url) <= _LONGEST_LINK
