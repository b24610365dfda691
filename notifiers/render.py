"""Templates become what is sent: messages, pages and publications, rendered from frozen facts.

Owns which template tells what, with which facts and in which Slack channel. Sends nothing, and knows no provider's
address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from jinja2 import Environment, TemplateError
from pydantic_core import from_json

from models.deliveries import Delivery, DeliveryKind, IncidentFacts, Provider, Receipts
from models.oncall.handoff import HandoffNote
from models.severity import Severity
from models.signals import Stage
from models.statuspage import IMPACTS, Publication, StatusPage, overall, recent_days, unresolved
from notifiers.environments import json_templates, markup_templates, slack_templates, text_templates
from notifiers.escape import mrkdwn, plain, safe_url

PAGERDUTY_SEVERITIES: Mapping[Severity, str] = {
    Severity.SEV1: "critical",
    Severity.SEV2: "error",
    Severity.SEV3: "warning",
    Severity.SEV4: "info",
    Severity.INFO: "info",
}

Payload = dict[str, Any]
_PROSE: Mapping[DeliveryKind, str] = {
    DeliveryKind.EMAIL_REPORT: "report",
    DeliveryKind.EMAIL_NOTICE: "notice",
    DeliveryKind.EMAIL_UPDATE: "update",
    DeliveryKind.EMAIL_RESOLUTION: "resolution",
    DeliveryKind.TICKET: "report",
    DeliveryKind.TICKET_UPDATE: "notice",
    DeliveryKind.TICKET_RESOLUTION: "resolution",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of Slack, by id or `#name`, and perhaps a thread in it."""

    channel: str
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Prose:
    """One text in two formats: `text` and `html` say the same."""

    subject: str
    text: str
    html: str


class TemplateFault(ValueError):
    """These facts cannot be told: one that the template needs is missing. The message says which."""


def slack_message(
    delivery: Delivery, receipts: Receipts, template: DeliveryKind | None = None, *, buttons: bool = False
) -> Payload:
    """`text` and `blocks` of a Slack message; `template` where it is not the delivery's own kind (a refresh)."""
    return _object(
        slack_templates(),
        f"slack/{template or delivery.kind}.json.j2",
        incident=delivery.incident,
        message=delivery.message,
        channel=receipts.get("channel"),
        ticket=receipts.get("ticket_url"),
        buttons=buttons,
        note=delivery.handoff,
    )


def slack_place(delivery: Delivery, receipts: Receipts) -> Place:
    """The incident's channel; where it has none (or could not get one), the thread under its announcement."""
    if (
        delivery.kind in {DeliveryKind.REMINDER, DeliveryKind.MAINTENANCE, DeliveryKind.HANDOFF}
        and delivery.message is not None
    ):
        return Place(delivery.message.slack_channel)
    incident = delivery.incident
    if incident is None:
        raise TemplateFault(f"a {delivery.kind} needs its incident")
    if delivery.kind in {DeliveryKind.ANNOUNCEMENT, DeliveryKind.PAGE_FALLBACK, DeliveryKind.MENTION}:
        return Place(incident.slack_channel)
    if incident.own_channel and receipts.get("channel"):
        return Place(receipts["channel"])
    return Place(receipts.get("announcement_channel") or incident.slack_channel, receipts.get("announcement_ts"))


def slack_topic(incident: IncidentFacts) -> str:
    """The topic of an incident's channel, at most 250 characters."""
    return mrkdwn(f"{incident.severity} {incident.priority} · {incident.number} · {incident.title}", 250)


def slack_channel_name(incident: IncidentFacts) -> str:
    """`inc-2026-1121-001-checkout`: at most 80 of the characters that Slack allows in a channel's name."""
    words = re.sub(r"[^a-z0-9_-]+", "-", f"{incident.number}-{incident.service}".lower())
    return re.sub(r"-{2,}", "-", words)[:80].strip("-_")


def pagerduty_event(delivery: Delivery, client_url: str | None = None) -> Payload:
    """A whole Events v2 event but for its routing key."""
    page = delivery.page
    if page is None:
        raise TemplateFault(f"a {delivery.kind} needs its page")
    match delivery.kind:
        case DeliveryKind.PAGE:
            return {"event_action": "trigger", "dedup_key": page.dedup_key, **_page(delivery, client_url)}
        case DeliveryKind.PAGE_ACKNOWLEDGE:
            return {"event_action": "acknowledge", "dedup_key": page.dedup_key}
        case DeliveryKind.PAGE_RESOLVE:
            return {"event_action": "resolve", "dedup_key": page.dedup_key}
        case _:
            raise TemplateFault(f"a {delivery.kind} is no event of PagerDuty")


def _page(delivery: Delivery, client_url: str | None) -> Payload:
    incident = delivery.incident
    return _object(
        json_templates(),
        "pagerduty/page.json.j2",
        incident=incident,
        message=delivery.message,
        page=delivery.page,
        severity=PAGERDUTY_SEVERITIES[incident.severity] if incident else "critical",
        client_url=safe_url(client_url) if client_url else None,
    )


def publication(delivery: Delivery) -> Publication:
    """What customers read: a title of component and impact, and the words written for them (else the stage's own)."""
    incident = delivery.incident
    if incident is None:
        raise TemplateFault("a publication needs its incident")
    component, impact = incident.component or incident.service, IMPACTS[incident.severity]
    stage = _stage(incident.stage)
    text = delivery.message.text if delivery.message else ""
    return Publication(
        delivery_id=delivery.id,
        incident_id=incident.incident_id,
        number=incident.number,
        title=_render(text_templates(), "statuspage/title.txt.j2", component=component, impact=impact),
        stage=stage,
        impact=impact,
        component=component,
        body=_render(text_templates(), "statuspage/update.txt.j2", component=component, stage=stage, text=text),
        started_at=incident.started_at,
        at=incident.at,
    )


def prose(delivery: Delivery) -> Prose:
    """What e-mails and tickets say. The subject stays the same for the life of an incident, as threads need it."""
    incident = delivery.incident
    name = _PROSE.get(delivery.kind)
    message = delivery.message
    if incident is None or name is None or (message is None and name != "report"):
        raise TemplateFault(f"a {delivery.kind} needs its incident and its message")
    if delivery.kind is DeliveryKind.TICKET_UPDATE and message and (message.actions or message.next_steps):
        name = "update"
    context = {"incident": incident, "message": message, "mailed": delivery.provider is Provider.EMAIL}
    subject = _render(text_templates(), "prose/subject.j2", incident=incident)
    return Prose(
        f"Re: {subject}" if delivery.provider is Provider.EMAIL and name != "report" else subject,
        *_both(name, context),
    )


def page_prose(delivery: Delivery) -> Prose:
    """What the mail of a page says, and the text of one that goes to a webhook. A test page has no incident."""
    page, incident = delivery.page, delivery.incident
    if page is None or (incident is None and not page.test):
        raise TemplateFault(f"a {delivery.kind} needs its page and its incident")
    mailed = delivery.provider is Provider.EMAIL
    context = {"incident": incident, "message": delivery.message, "page": page, "mailed": mailed}
    return Prose(_render(text_templates(), "prose/page_subject.j2", **context), *_both("page", context))


def handoff_prose(note: HandoffNote) -> Prose:
    """What a mail about a handoff says."""
    return Prose(f"On-call handoff: {plain(note.schedule, 80)}", *_both("handoff", {"note": note}))


def status_html(page: StatusPage) -> str:
    """The status page that people see."""
    context = {
        "overall": overall(page),
        "unresolved": unresolved(page),
        "days": recent_days(page),
        "maintenances": [one for one in page.maintenances if one.status != "completed"],
    }
    return _render(markup_templates(), "status/index.html.j2", page=page, **context)


def status_atom(page: StatusPage) -> str:
    """`/history.atom`: one entry per incident."""
    return _render(markup_templates(), "status/history.atom.j2", page=page)


def _both(name: str, context: Mapping[str, object]) -> tuple[str, str]:
    """One text in both layouts."""
    text = _render(text_templates(), f"prose/{name}.j2", layout="prose/_text.j2", **context)
    html = _render(markup_templates(), f"prose/{name}.j2", layout="prose/_html.j2", **context)
    return re.sub(r"\n{3,}", "\n\n", text), html


def _stage(name: str) -> Stage:
    for stage in get_args(Stage):
        if stage == name:
            return cast("Stage", stage)
    raise TemplateFault(f"{name!r} is no stage of the status page")


def _render(environment: Environment, template: str, **context: object) -> str:
    try:
        return environment.get_template(template).render(context)
    except TemplateError as error:
        raise TemplateFault(f"{template} cannot tell this: {plain(error, 200)}") from error


def _object(environment: Environment, template: str, **context: object) -> Payload:
    value = from_json(_render(environment, template, **context))
    assert isinstance(value, dict), "a JSON template renders to an object"
    return value
