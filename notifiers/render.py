"""Templates become what is sent. Owns the Jinja environments and their escaping, which no template can forget or undo.

Every value that a template prints passes through its environment's `finalize`: cleaned, cut, escaped for its format.
Templates come from the `templates` package only; text from alerts and people is never compiled. Sends nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast, get_args

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined, TemplateError, Undefined
from markupsafe import Markup, escape

from models.deliveries import Delivery, DeliveryKind, IncidentFacts, Receipts
from models.severity import Severity
from models.signals import Stage
from models.statuspage import IMPACTS, Publication, StatusPage, overall, recent_days, unresolved
from notifiers.escape import in_json, mrkdwn, plain, safe_url

VALUE_LIMIT = 300
"""Characters that a value gets where its template does not say."""
NOTHING = "-"
"""What stands where a value is empty."""
SLACK_URL_LIMIT = 700
PAGERDUTY_SEVERITIES: Mapping[Severity, str] = {
    Severity.SEV1: "critical",
    Severity.SEV2: "error",
    Severity.SEV3: "warning",
    Severity.SEV4: "info",
    Severity.INFO: "info",
}
_FORBIDDEN_FILTERS = ("safe", "tojson", "xmlattr", "urlize", "forceescape")
"""Filters that would let a value pass unescaped, or escaped for another format."""

_Escape = Callable[..., str]
Payload = dict[str, Any]


class TemplateFault(ValueError):
    """These facts cannot be told: one that the template needs is missing. The message says which."""


def utc(at: datetime) -> str:
    """`14:03 UTC`."""
    return f"{at:%H:%M} UTC"


def utc_day(at: datetime) -> str:
    """`2026-11-21 14:03 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def duration(span: timedelta) -> str:
    """`2 d 3 h`, `1 h 12 min`, `4 min`, `40 s`: at most two units."""
    seconds = max(0, round(span.total_seconds()))
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count and len(parts) < 2:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _slack_time(at: datetime) -> Markup:
    """The same for everybody (UTC), then as the reader's own clock shows it."""
    own = "{date_short_pretty}, {time}"
    return Markup(f"{utc(at)} (<!date^{at.timestamp():.0f}^{own}|{utc_day(at)}>)")  # noqa: S704 (made of an instant)


def _slack_link(url: object, label: str) -> Markup:
    """A labelled link; the bare label where the address is none that people should follow."""
    words = in_json(mrkdwn(label, 75).replace("|", "/")) or NOTHING
    address = (safe_url(url) or "").replace("&", "&amp;")
    if not 0 < len(address) <= SLACK_URL_LIMIT:
        return Markup(words)  # noqa: S704 (escaped above)
    return Markup(f"<{in_json(address)}|{words}>")  # noqa: S704 (escaped above)


def _environment(write: _Escape, *, loader: BaseLoader | None = None) -> Environment:
    """An environment whose every printed value goes through `write(value, limit, lines=…)`, exactly once."""

    def finalize(value: object) -> object:
        # Undefined goes on to raise as StrictUndefined does; Markup has been through here already.
        return value if isinstance(value, Undefined | Markup) else cut(value, VALUE_LIMIT)

    def cut(value: object, limit: int, *, lines: bool = False) -> Markup:
        if isinstance(value, Undefined):
            str(value)
        # Providers refuse empty strings, and a page must not be lost because an alert had no name.
        return Markup(write(value, limit, lines=lines) or NOTHING)  # noqa: S704 (this is the escaping)

    environment = Environment(
        loader=loader or PackageLoader("templates", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in _FORBIDDEN_FILTERS:
        environment.filters.pop(name, None)
    environment.filters.update(
        cut=cut,
        lines=lambda value, limit: cut(value, limit, lines=True),
        utc=utc,
        utc_day=utc_day,
        duration=duration,
        url=safe_url,
    )
    return environment


@cache
def _slack() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return in_json(mrkdwn(value, limit, lines=lines))

    environment = _environment(write)
    environment.filters["time"] = _slack_time
    environment.globals["link"] = _slack_link
    return environment


@cache
def _json() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return in_json(plain(value, limit, lines=lines))

    return _environment(write)


@cache
def _text() -> Environment:
    return _environment(plain)


@cache
def _markup() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return str(escape(plain(value, limit, lines=lines)))

    return _environment(write)


def slack_message(delivery: Delivery, receipts: Receipts, template: DeliveryKind | None = None) -> Payload:
    """`text` and `blocks` of a Slack message; `template` where it is not the delivery's own kind (a refresh)."""
    return _object(
        _slack(),
        f"slack/{template or delivery.kind}.json.j2",
        incident=delivery.incident,
        message=delivery.message,
        channel=receipts.get("channel"),
    )


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
        _json(),
        "pagerduty/page.json.j2",
        incident=incident,
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
        title=_render(_text(), "statuspage/title.txt.j2", component=component, impact=impact),
        stage=stage,
        impact=impact,
        component=component,
        body=_render(_text(), "statuspage/update.txt.j2", component=component, stage=stage, text=text),
        started_at=incident.started_at,
        at=incident.at,
    )


def status_html(page: StatusPage) -> str:
    """The status page that people see."""
    context = {"overall": overall(page), "unresolved": unresolved(page), "days": recent_days(page)}
    return _render(_markup(), "status/index.html.j2", page=page, **context)


def status_atom(page: StatusPage) -> str:
    """`/history.atom`: one entry per incident."""
    return _render(_markup(), "status/history.atom.j2", page=page)


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
    value = json.loads(_render(environment, template, **context))
    assert isinstance(value, dict), "a JSON template renders to an object"
    return value
