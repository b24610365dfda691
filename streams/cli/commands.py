"""What people tell Tocsin about an incident: to declare one, and the commands about one that is there.

Each is a signal like any other, so a command that is repeated, or comes too late, leads to nothing and says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from models.severity import ServiceTier
from streams.cli.client import By, Reply, connect, read
from streams.cli.edge import Code, Fault
from streams.cli.numbers import Number, whole_number
from streams.cli.output import AsJson, complain, relative, say, say_json, when
from streams.web.api_models import CommandAnswer, DeadlineView, IncidentView, PageTestAnswer

Key = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="Repeats with the same key change nothing.")
]
_Sev = Annotated[Literal["SEV1", "SEV2", "SEV3", "SEV4"], typer.Option("--severity", case_sensitive=False)]


def declare(  # noqa: PLR0913 (Typer reads the options from the signature)
    title: Annotated[str, typer.Argument(help="What is wrong, in a few words.")],
    *,
    severity: _Sev,
    service: Annotated[str, typer.Option(help="What is concerned.")] = "unknown",
    summary: Annotated[str, typer.Option(help="More of it.")] = "",
    environment: Annotated[str, typer.Option()] = "",
    kind: Annotated[str, typer.Option(help="Of incident, as the policy names it: it brings its checklist.")] = "",
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
        "kind": kind,
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
    if answer := give(number, "acknowledge", {"by": by}, as_json=as_json):
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
    if answer := give(number, "resolve", {"by": by, "note": note}, as_json=as_json):
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
    if answer := give(number, "escalate", {"by": by, "level": level}, as_json=as_json):
        one = answer.incident
        answered = f"Nothing to do: {one.level} of {one.number} was paged already when this was asked."
        if answer.changed:
            say(f"{one.number} escalated: {one.level} is paged.")
        else:
            say(answered if one.status == "triggered" else too_late(one))


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
    if answer := give(number, "updates", body, as_json=as_json):
        one = answer.incident
        say(f"{one.number} updated ({one.stage})." if answer.changed else too_late(one))


def severity(
    number: Number,
    to: Annotated[Literal["SEV1", "SEV2", "SEV3", "SEV4"], typer.Argument(metavar="SEVERITY", case_sensitive=False)],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Raises or lowers the severity of an incident."""
    if answer := give(number, "severity", {"severity": to, "reason": reason, "by": by}, as_json=as_json):
        one = answer.incident
        say(
            f"{one.number} is now {one.severity}/{one.priority}."
            if answer.changed
            else too_late(one, f"{one.number} is {one.severity} already")
        )


def warn_of_recording(answer: CommandAnswer | PageTestAnswer) -> None:
    """Whoever hears that somebody is paged must not believe it where nobody is."""
    if answer.recording:
        complain("pages are only recorded here, so nobody is paged; see `tocsin doctor` for why")


def give(number: str, verb: str, body: dict[str, Any], *, as_json: bool) -> CommandAnswer | None:
    with connect() as client:
        reply = client.post("incidents", whole_number(client, number), verb, body=body)
    return _answer(reply, as_json=as_json)


def _answer(reply: Reply, *, as_json: bool) -> CommandAnswer | None:
    """None once it was said: as JSON. Raises Fault for a command that nobody has handled yet."""
    settled(reply, as_json=as_json)
    if as_json:
        return None
    answer = read(CommandAnswer, reply.body)
    warn_of_recording(answer)
    return answer


def settled(reply: Reply, *, as_json: bool) -> None:
    """Says the reply for scripts where asked for. Raises Fault for a command that nobody has handled yet."""
    if as_json:
        say_json(reply.body)
    if reply.later:
        raise Fault(reply.later, Code.LATER)


def too_late(one: IncidentView, already: str = "") -> str:
    """Why a command led to nothing; `already` is how an open incident stands. Raises Fault where it would have changed
    something, had it come before the end.
    """
    if one.status == "resolved":
        ended = f"{one.number} was resolved by {one.resolved_by} {relative(one.resolved_at)}"
        raise Fault(f"{ended}, so this was not done; `tocsin declare` opens another incident")
    return f"Nothing to do: {already}." if already else _nothing_to_do(one)


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
    for command in (declare, ack, resolve, escalate, update, severity):
        app.command()(command)
