"""`tocsin policy try`: what a webhook that has not happened would do. Nothing is published, stored or sent."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.triage import nobody_to_ask
from models.alert import AlertGroup, read_webhook
from models.deliveries import Delivery, DeliveryKind
from models.explanation import about_kind, about_service, awaited, consequences
from models.incident import decide
from models.rates import Answers, questions
from models.records import Unreadable
from models.reports import signals_of
from models.severity import Severity
from models.signals import AlertsReported
from models.step import finish, fold
from streams.cli.edge import Code, Fault
from streams.cli.output import AsJson, instant, say, say_fields, say_json
from streams.clock import utc_now
from streams.prometheus import Prometheus
from streams.settings import PolicyInForce, Settings, policy_named, read_settings
from streams.trust import trusted

_NUMBER = "INC-YYYY-MMDD-###"


def attempt(
    file: Annotated[Path, typer.Argument(help="The body of a webhook, as Alertmanager would send it.")],
    *,
    policy: Annotated[str | None, typer.Option(help="A profile or a file; else what TOCSIN_POLICY names.")] = None,
    at: Annotated[datetime | None, typer.Option(metavar="TIME", help="When it comes, in UTC; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says which incidents a webhook would open, how severe, why, and who would be told."""
    settings = read_settings()
    found = policy_named(policy or settings.policy)
    group = _read(file, at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else utc_now())
    try:
        signals = signals_of(group, found.policy, found.version, asyncio.run(_asked(group, found, settings)))
    except Unreadable as error:
        raise Fault(f"{file} cannot be read: {error}") from None
    outcomes = [_outcome(signal, found, group.received_at) for signal in signals]
    if as_json:
        say_json(outcomes)
        return
    for place, outcome in enumerate(outcomes):
        if place:
            say()
        say_fields((label.replace("_", " "), line) for label, value in outcome.items() for line in _lines(value))


def _lines(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _read(file: Path, now: datetime) -> AlertGroup:
    try:
        return read_webhook(file.read_bytes(), webhook_id=uuid.uuid4(), sender="try", received_at=now)
    except OSError as error:
        raise Fault(f"{file} cannot be read: {error.strerror or error}", Code.USAGE) from None
    except Unreadable as error:
        raise Fault(f"{file} is no webhook of Alertmanager: {error}") from None


async def _asked(group: AlertGroup, found: PolicyInForce, settings: Settings) -> Answers:
    firing = [alert for alert in group.alerts if alert.status == "firing"]
    queries = list(dict.fromkeys(query for alert in firing for query in questions(alert, found.policy)))
    if not settings.prometheus_url or not queries:
        return await nobody_to_ask(queries, found.policy.classification.answer_within)
    prometheus = Prometheus(settings.prometheus_url, trusted(settings.ca_file))
    try:
        return await prometheus(queries, found.policy.classification.answer_within)
    finally:
        await prometheus.close()


def _outcome(signal: AlertsReported, found: PolicyInForce, now: datetime) -> dict[str, Any]:
    policy, made = found.policy, signal.classification
    events = decide(None, signal, policy, now)
    folded = fold(None, signal, events, policy, now)
    said = {
        "incident_key": signal.key,
        "policy": f"{policy.name}, version {found.version}",
        "severity": policy.classification.level_name(made.severity),
        "priority": made.priority,
        "kind": made.kind,
        "why": list(made.why),
        "if_it_lasts": [f"{one.severity} at {instant(one.due_at)}: {one.why}" for one in made.pending],
    }
    if folded.after is None:
        quiet = made.severity is Severity.INFO
        return {**said, "outcome": "logged, no incident is opened" if quiet else "nothing fires, so nothing is opened"}
    step = finish(folded, {folded.after.id: _NUMBER})
    armed = sorted(folded.after.deadlines.values(), key=lambda deadline: deadline.due_at)
    return {
        **said,
        "outcome": f"an incident is opened: {signal.title}",
        "service": list(about_service(signal.service, policy)),
        "follows": [*about_kind(made.kind, policy), *consequences(made.severity, made.priority, policy)],
        "told": list(dict.fromkeys(_told(one) for one in step.deliveries)),
        "due": [awaited(one) for one in armed],
        "links": [f"{name}: {url}" for name, url in signal.links.items()],
    }


def _told(delivery: Delivery) -> str:
    if delivery.kind is DeliveryKind.PAGE and delivery.page is not None:
        return f"{delivery.provider}: pages {delivery.page.level}"
    where = f" to {delivery.incident.slack_channel}" if delivery.incident and delivery.provider == "slack" else ""
    return f"{delivery.provider}: {str(delivery.kind).replace('_', ' ')}{where}"
