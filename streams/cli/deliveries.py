"""`tocsin deliveries`: what was sent or is to be sent, and how sending it goes."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from streams.cli.client import Client, connect, read
from streams.cli.numbers import Numbers, by_id, whole_number
from streams.cli.output import AsJson, relative, say_fields, say_json, say_table, when
from streams.web.api_models import DeliveryView

_Which = Annotated[
    str | None, typer.Argument(metavar="[INCIDENT|ID]", help="Of one incident, or one delivery by its id; else all.")
]


def deliveries(
    which: _Which = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists deliveries, newest first, or shows one."""
    delivery_id = _id(which)
    with connect() as client:
        answer = client.get("deliveries", str(delivery_id)) if delivery_id else _list(client, which, limit)
        names = {} if as_json else by_id(client)
    if as_json:
        say_json(answer)
    elif delivery_id:
        _show(read(DeliveryView, answer), names)
    else:
        _table(read(list[DeliveryView], answer), names)


def _list(client: Client, which: str | None, limit: int) -> object:
    if which is None:
        return client.get("deliveries", limit=limit)
    return client.get("incidents", whole_number(client, which), "deliveries")[:limit]


def _id(which: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(which)
    except (TypeError, ValueError):
        return None


def _table(rows: list[DeliveryView], names: Numbers) -> None:
    headings = ("id", "created", "incident", "provider", "what", "status", "attempts", "next", "detail")
    say_table(headings, [_cells(row, names) for row in rows], "No deliveries.")


def _cells(row: DeliveryView, names: Numbers) -> tuple[object, ...]:
    of, following = names.get(row.incident_id, row.incident_id) or "-", relative(row.next_at)
    return (
        row.id,
        relative(row.created_at),
        of,
        row.provider,
        _what(row),
        _status(row),
        row.attempts,
        following,
        row.detail,
    )


def _status(row: DeliveryView) -> str:
    return "recorded" if row.recorded else row.status


def _show(row: DeliveryView, names: Numbers) -> None:
    say_fields([
        ("delivery", row.id),
        ("of incident", names.get(row.incident_id, row.incident_id)),
        ("provider", row.provider),
        ("what", _what(row)),
        ("status", _status(row)),
        ("attempts", row.attempts),
        ("created", when(row.created_at)),
        ("next attempt", when(row.next_at) if row.next_at else ""),
        ("ended", when(row.ended_at) if row.ended_at else ""),
        ("detail", row.detail),
    ])  # fmt: skip


def _what(row: DeliveryView) -> str:
    to = f" to {row.level}" if row.level else ""
    return f"{'test ' if row.test else ''}{row.kind.replace('_', ' ')}{to}"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(deliveries)
