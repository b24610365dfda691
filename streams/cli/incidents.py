"""Incidents: to list and read them, to declare one, and the commands that people give about one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from models.severity import ServiceTier, Severity
from streams.cli.client import By, Client, Reply, connect, read
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.numbers import SINCE_OPEN, Number, pages, whole_number
from streams.cli.output import AsJson, instant, relative, say, say_fields, say_json, say_table, when
from streams.cli.timeline import told
from streams.web.api_models import CommandAnswer, DeadlineView, IncidentView, PageView, TimelineEntry

Key = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="Repeats with the same key change nothing.")
]
_Sev = Annotated[Literal["SEV1", "SEV2", "SEV3", "SEV4"], typer.Option("--severity", case_sensitive=False)]

incidents = typer.Typer(cls=Defaulting, help="List incidents, or read one.")


@incidents.command("list")
def list_incidents(
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those not resolved.")] = False,
    severity: Annotated[list[Severity] | None, typer.Option(case_sensitive=False, help="May be repeated.")] = None,
    service: Annotated[str | None, typer.Option(help="Of this service only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists incidents, newest first."""
    with connect() as client:
        statuses = SINCE_OPEN if only_open else ()
        found = list(pages(client, statuses, limit, severity=severity, service=service))
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
        ("why", "; ".join(one.why)),
        ("service", f"{one.service} (tier {int(one.tier)})"),
        ("environment", one.environment),
        ("alerts", f"{one.firing} of {one.alerts} firing" if one.alerts else "none: declared by a person"),
        ("started", when(one.started_at)),
        ("opened", when(one.opened_at)),
        ("acknowledged", _by(one.acknowledged_by, when(one.acknowledged_at))),
        ("resolved", _by(one.resolved_by, when(one.resolved_at))),
        ("last update", when(one.last_update_at) if one.last_update_at else ""),
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


def declare(  # noqa: PLR0913 (Typer reads the options from the signature)
    title: Annotated[str, typer.Argument(help="What is wrong, in a few words.")],
    *,
    severity: _Sev,
    service: Annotated[str, typer.Option(help="What is concerned.")] = "unknown",
    summary: Annotated[str, typer.Option(help="More of it.")] = "",
    environment: Annotated[str, typer.Option()] = "",
    tier: Annotated[int | None, typer.Option(min=1, max=3, help="Of the service; else as the policy knows it.")] = None,
    by: By,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Declares an incident that no alert has reported."""
    body = {
        "title": title,
        "severity": severity,
        "service": service,
        "summary": summary,
        "environment": environment,
        "tier": ServiceTier(tier) if tier else None,
        "by": by,
    }
    with connect() as client:
        reply = client.post("incidents", body=body, key=key)
    if answer := _answer(reply, as_json=as_json):
        one = answer.incident
        done = f"{one.number} declared: {one.severity}/{one.priority}, {_level_now(one)}."
        say(done if answer.changed else f"{one.number} was declared before; nothing to do.")


def _level_now(one: IncidentView) -> str:
    return f"{one.level} is paged" if one.level else "nobody is paged at this priority"


def ack(number: Number, *, by: By, as_json: AsJson = False) -> None:
    """Takes an incident: its escalation stops."""
    if answer := _give(number, "acknowledge", {"by": by}, as_json=as_json):
        one = answer.incident
        say(
            f"{one.number} acknowledged by {one.acknowledged_by}; nobody else is paged for it."
            if answer.changed
            else _nothing_to_do(one)
        )


def resolve(
    number: Number,
    *,
    note: Annotated[str, typer.Option(help="What ended it.")] = "",
    by: By,
    as_json: AsJson = False,
) -> None:
    """Ends an incident. What still fires stays silent until it has been seen resolved."""
    if answer := _give(number, "resolve", {"by": by, "note": note}, as_json=as_json):
        one = answer.incident
        owed = next((due for due in one.deadlines if due.name == "postmortem"), None)
        say(f"{one.number} resolved by {one.resolved_by}.{_owed(owed)}" if answer.changed else _nothing_to_do(one))


def _owed(due: DeadlineView | None) -> str:
    return f" Its postmortem is due {when(due.due_at)}." if due else ""


def escalate(
    number: Number,
    *,
    level: Annotated[str | None, typer.Option(help="This level of the policy; else the next.")] = None,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Pages the next level now."""
    if answer := _give(number, "escalate", {"by": by, "level": level}, as_json=as_json):
        one = answer.incident
        say(f"{one.number} escalated: {one.level} is paged." if answer.changed else _nothing_to_do(one))


def update(  # noqa: PLR0913 (Typer reads the options from the signature)
    number: Number,
    message: Annotated[str, typer.Argument(help="Shown to customers where the incident is on the status page.")],
    *,
    stage: Annotated[Literal["investigating", "identified", "monitoring"] | None, typer.Option()] = None,
    actions: Annotated[str, typer.Option(help="What is being done.")] = "",
    next_steps: Annotated[str, typer.Option(help="What comes next.")] = "",
    by: By,
    as_json: AsJson = False,
) -> None:
    """Tells where things stand."""
    body = {"message": message, "stage": stage, "actions": actions, "next_steps": next_steps, "by": by}
    if answer := _give(number, "updates", body, as_json=as_json):
        one = answer.incident
        say(f"{one.number} updated ({one.stage})." if answer.changed else _nothing_to_do(one))


def severity(
    number: Number,
    to: Annotated[Literal["SEV1", "SEV2", "SEV3", "SEV4"], typer.Argument(metavar="SEVERITY", case_sensitive=False)],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Raises or lowers the severity of an incident."""
    if answer := _give(number, "severity", {"severity": to, "reason": reason, "by": by}, as_json=as_json):
        one = answer.incident
        say(f"{one.number} is now {one.severity}/{one.priority}." if answer.changed else _nothing_to_do(one))


def _give(number: str, verb: str, body: dict[str, Any], *, as_json: bool) -> CommandAnswer | None:
    with connect() as client:
        return _answer(_given(client, number, verb, body), as_json=as_json)


def _given(client: Client, number: str, verb: str, body: dict[str, Any]) -> Reply:
    return client.post("incidents", whole_number(client, number), verb, body=body)


def _answer(reply: Reply, *, as_json: bool) -> CommandAnswer | None:
    """None once it was said: as JSON. Raises Fault for a command that nobody has handled yet."""
    settled(reply, as_json=as_json)
    return None if as_json else read(CommandAnswer, reply.body)


def settled(reply: Reply, *, as_json: bool) -> None:
    """Says the reply for scripts where asked for. Raises Fault for a command that nobody has handled yet."""
    if as_json:
        say_json(reply.body)
    if reply.later:
        raise Fault(reply.later, Code.LATER)


def _nothing_to_do(one: IncidentView) -> str:
    """Why a command led to nothing."""
    match one.status:
        case "resolved":
            return f"Nothing to do: {one.number} was resolved by {one.resolved_by} {relative(one.resolved_at)}."
        case "acknowledged":
            who, at = one.acknowledged_by, relative(one.acknowledged_at)
            return f"Nothing to do: {one.number} was acknowledged by {who} {at}."
        case _:
            return f"Nothing to do: {one.number} is like that already."


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(incidents, name="incidents")
    for command in (declare, ack, resolve, escalate, update, severity):
        app.command()(command)
