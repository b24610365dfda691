"""`tocsin incidents`: to list and to read them."""

from __future__ import annotations

from typing import Annotated

import typer

from models.severity import Severity
from streams.cli.client import connect, read
from streams.cli.edge import Defaulting
from streams.cli.numbers import SINCE_OPEN, Number, pages, whole_number
from streams.cli.output import AsJson, instant, plain, relative, say, say_fields, say_json, say_table, when
from streams.cli.timeline import told
from streams.web.api_models import Explanation, IncidentView, PageView, TimelineEntry

incidents = typer.Typer(cls=Defaulting, help="Lists incidents, or shows one.")


@incidents.command("list")
def list_incidents(
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those not resolved.")] = False,
    severity: Annotated[list[Severity] | None, typer.Option(case_sensitive=False, help="May be repeated.")] = None,
    service: Annotated[str | None, typer.Option(help="Of this service only.")] = None,
    of: Annotated[str | None, typer.Option(help="Attached to this incident.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists incidents, newest first."""
    with connect() as client:
        statuses = SINCE_OPEN if only_open else ()
        found = list(pages(client, statuses, limit, severity=severity, service=service, attached_to=of))
    if as_json:
        say_json([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (
            one.number,
            one.status,
            one.severity,
            one.priority,
            relative(one.opened_at),
            one.service,
            _level(one),
            one.title,
        )
        for one in found
    ]
    headings = ("number", "status", "severity", "priority", "opened", "service", "paged", "title")
    say_table(headings, rows, "No incidents." if not (only_open or severity or service) else "No such incidents.")


def _level(one: IncidentView) -> str:
    return f"{one.level} ({len(one.pages)})" if one.level else "-"


@incidents.command()
def show(number: Number, *, as_json: AsJson = False) -> None:
    """Shows one incident as it stands."""
    with connect() as client:
        answer = client.get("incidents", whole_number(client, number))
    if as_json:
        say_json(answer)
        return
    one = read(IncidentView, answer)
    say_fields([
        ("incident", f"{one.number} (generation {one.generation})" if one.generation > 1 else one.number),
        ("title", one.title),
        ("status", one.status),
        ("stage", one.stage),
        ("severity", one.severity),
        ("priority", one.priority),
        ("kind", one.kind),
        ("ticket", one.ticket.url if one.ticket else ""),
        ("why", "; ".join(one.why)),
        ("service", f"{one.service} (tier {int(one.tier)})"),
        ("environment", one.environment),
        ("alerts", f"{one.firing} of {one.alerts} firing" if one.alerts else "none: declared by a person"),
        ("attached to", f"{one.attached_to}, which pages for both" if one.attached_to else ""),
        ("pages for", f"{one.collected} more: tocsin incidents --of {one.number}" if one.collected else ""),
        ("frozen", "it takes no more alerts" if one.frozen else ""),
        ("started", when(one.started_at)),
        ("opened", when(one.opened_at)),
        ("acknowledged", _by(one.acknowledged_by, when(one.acknowledged_at))),
        *((role.replace("_", " "), person) for role, person in one.roles.items()),
        ("resolved", _by(one.resolved_by, when(one.resolved_at))),
        ("last update", when(one.last_update_at) if one.last_update_at else ""),
        ("next update", when(one.next_update_due) if one.next_update_due else ""),
        ("missed updates", one.updates_missed or ""),
        *((f"page {page.ordinal}", _page(page)) for page in one.pages),
        *((f"due: {due.name}", when(due.due_at)) for due in one.deadlines),
        *one.links.items(),
        ("summary", one.summary),
    ])  # fmt: skip


def _by(who: str | None, at: str) -> str:
    return f"{at} by {who}" if who else ""


def _page(page: PageView) -> str:
    return f"{page.level}: {'failed' if page.failed else 'received' if page.received else 'on its way'}"


@incidents.command()
def timeline(number: Number, *, as_json: AsJson = False) -> None:
    """Tells everything that was decided about an incident, in order."""
    with connect() as client:
        answer = client.get("incidents", whole_number(client, number), "timeline")
    if as_json:
        say_json(answer)
        return
    entries = read(list[TimelineEntry], answer)
    rows = [(instant(one.at), one.kind.replace("_", " "), told(one)) for one in entries]
    say_table(("at", "what", "in words"), rows, "Nothing was decided about it.")


def explain(number: Number, *, as_json: AsJson = False) -> None:
    """Tells why an incident is what it is: which rules spoke, what they saw, under which policy."""
    with connect() as client:
        answer = client.get("incidents", whole_number(client, number), "explain")
    if as_json:
        say_json(answer)
        return
    told = read(Explanation, answer)
    say(f"{told.number}, by policy {told.policy} (version {told.policy_version})")
    if told.ticket:
        say(f"Its ticket: {plain(told.ticket.url)}")
    say_table(("at", "why"), [(instant(one.at), one.text) for one in told.reasons], "Nothing was decided about it.")


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(incidents, name="incidents")
    app.command()(explain)
