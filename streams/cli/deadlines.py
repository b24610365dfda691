"""`tocsin deadlines`: what is armed now, or the whole ledger of one incident."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.client import connect, read
from streams.cli.numbers import by_id, whole_number
from streams.cli.output import AsJson, relative, say_json, say_table, when
from streams.web.api_models import DeadlineView


def deadlines(
    number: Annotated[str | None, typer.Argument(metavar="[INCIDENT]", help="The ledger of one incident.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists armed deadlines, the soonest first.

    Or all those of one incident, with how each ended.
    """
    with connect() as client:
        if number is None:
            answer = client.get("deadlines", limit=limit)
        else:
            answer = client.get("incidents", whole_number(client, number), "deadlines")[:limit]
        names = {} if as_json else by_id(client)
    if as_json:
        say_json(answer)
        return
    rows = [
        (when(row.due_at), row.name, row.status, relative(row.ended_at), names.get(row.incident_id, row.incident_id))
        for row in read(list[DeadlineView], answer)
    ]
    headings = ("due", "what", "status", "ended", "incident")
    say_table(headings, rows, "No deadlines are armed." if number is None else "It has none.")


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(deadlines)
