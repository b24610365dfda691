"""What is owed after incidents: `tocsin postmortems` and `tocsin action-items`. POLICY 22, 24."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time
from typing import Annotated, Final, Literal

import typer

from models.policy_fields import parse_duration
from models.severity import Priority
from streams.cli.client import By, Client, connect, read
from streams.cli.commands import Key, settled
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.numbers import Number, whole_number
from streams.cli.output import AsJson, relative, say, say_json, say_table, when
from streams.clock import utc_now
from streams.web.review_models import ActionItemAnswer, ActionItemView, PostmortemAnswer, PostmortemView

SHORT: Final = 8
"""Characters of an item's id that a table shows and `done` takes."""

items = typer.Typer(cls=Defaulting, help="What is to be done after incidents: add, list, done.")
postmortems = typer.Typer(cls=Defaulting, help="Postmortems that are owed: list, complete.")


@items.command()
def add(  # noqa: PLR0913 (Typer reads the options from the signature)
    number: Number,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    *,
    owner: Annotated[str, typer.Option(help="Who does it, as the policy's `people` names them.")],
    due: Annotated[
        str, typer.Option(help="2026-11-30, 2026-11-30T17:00Z, or from now: 3d, 12h. UTC unless it says otherwise.")
    ],
    priority: Annotated[Priority, typer.Option(case_sensitive=False)] = Priority.P2,
    by: By,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Adds an action item; its owner is reminded before it is due and while it is overdue."""
    body = {"title": title, "owner": owner, "due_at": due_at(due).isoformat(), "priority": priority, "by": by}
    with connect() as client:
        reply = client.post("incidents", whole_number(client, number), "action-items", body=body, key=key)
    settled(reply, as_json=as_json)
    if not as_json:
        item = read(ActionItemAnswer, reply.body).action_item
        say(f"Action item {_short(item)} for {item.owner}, due {when(item.due_at)}.")


@items.command("list")
def list_items(
    number: Annotated[str | None, typer.Argument(metavar="[INCIDENT]", help="Of one incident; else of all.")] = None,
    *,
    status: Annotated[Literal["open", "done"] | None, typer.Option()] = None,
    owner: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Lists action items, the soonest due first."""
    with connect() as client:
        if number is None:
            answer = client.get("action-items", status=status, owner=owner)
        else:
            answer = client.get("incidents", whole_number(client, number), "action-items")
    found = [
        item
        for item in read(list[ActionItemView], answer)
        if owner in {None, item.owner} and status in {None, "done" if item.done_at else "open"}
    ]
    if as_json:
        say_json([item.model_dump(mode="json") for item in found])
        return
    rows = [
        (_short(item), item.number, item.priority, item.owner, _state(item), item.title)
        for item in sorted(found, key=lambda item: item.due_at)
    ]
    say_table(("id", "incident", "priority", "owner", "due", "title"), rows, "No action items.")


@items.command()
def done(
    item: Annotated[str, typer.Argument(metavar="ID", help="As `action-items list` shows it.")],
    *,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Says that an action item was done."""
    with connect() as client:
        reply = client.post("action-items", str(_whole_id(client, item)), "complete", body={"by": by})
    settled(reply, as_json=as_json)
    if not as_json:
        answer = read(ActionItemAnswer, reply.body)
        after = answer.action_item
        say(f"Done: {after.title}." if answer.changed else f"Nothing to do: it was done {relative(after.done_at)}.")


@postmortems.command("list")
def list_postmortems(
    *,
    status: Annotated[Literal["open", "suspended", "completed"] | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Lists postmortems, the soonest due first."""
    with connect() as client:
        answer = client.get("postmortems", status=status)
    if as_json:
        say_json(answer)
        return
    rows = [
        (one.number, one.severity, one.owner, one.status, when(one.due_at), one.url or "-", one.title)
        for one in sorted(read(list[PostmortemView], answer), key=lambda one: one.due_at)
    ]
    say_table(("incident", "severity", "owner", "status", "due", "document", "title"), rows, "No postmortems.")


@postmortems.command()
def complete(
    number: Number,
    *,
    url: Annotated[str, typer.Option(help="Where it was written down.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Says that a postmortem was held."""
    with connect() as client:
        reply = client.post(
            "incidents", whole_number(client, number), "postmortem", "complete", body={"url": url, "by": by}
        )
    settled(reply, as_json=as_json)
    if not as_json:
        answer = read(PostmortemAnswer, reply.body)
        one = answer.postmortem
        say(f"The postmortem of {one.number} is complete." if answer.changed else f"Nothing to do: it is {one.status}.")


def due_at(stated: str, option: str = "--due") -> datetime:
    """An instant or a day (its end), in UTC unless it says otherwise, or a span from now. Raises Fault."""
    try:
        return utc_now() + parse_duration(stated)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(stated)
    except ValueError:
        raise Fault(
            f"{option}: {stated!r} is neither a date nor a span: write 2026-11-30, 2026-11-30T17:00Z, 3d or 12h",
            Code.USAGE,
        ) from None
    if len(stated) <= len("2026-11-30"):
        at = datetime.combine(at, time.max)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _whole_id(client: Client, stated: str) -> uuid.UUID:
    """Raises Fault for an id that begins none of the items, or several."""
    try:
        return uuid.UUID(stated)
    except ValueError:
        pass
    found = [item for item in read(list[ActionItemView], client.get("action-items")) if _begins(item, stated)]
    if len(found) == 1:
        return found[0].id
    if not found:
        raise Fault(f"no action item begins with {stated!r}: see `tocsin action-items list`", Code.NOT_FOUND)
    raise Fault(f"{len(found)} action items begin with {stated!r}: give more of the id", Code.USAGE)


def _begins(item: ActionItemView, stated: str) -> bool:
    return bool(stated) and str(item.id).startswith(stated.lower())


def _short(item: ActionItemView) -> str:
    return str(item.id)[:SHORT]


def _state(item: ActionItemView) -> str:
    if item.done_at:
        return f"done {relative(item.done_at)}"
    return f"{'overdue: ' if item.due_at < utc_now() else ''}{when(item.due_at)}"


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(items, name="action-items")
    app.add_typer(postmortems, name="postmortems")
