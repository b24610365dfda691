"""Which incident a person means: its whole number, or a tail that is enough today. Never guesses between two."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import typer

from streams.cli.client import Client, read
from streams.cli.edge import Code, Fault
from streams.clock import utc_now
from streams.web.api_models import IncidentPage, IncidentView

Number = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="INC-2026-1121-001, or just 001 for one of today or still open.")
]
Numbers = Mapping[uuid.UUID | None, str]
"""Incidents' numbers by their ids."""
SINCE_OPEN: Final = ("triggered", "acknowledged")
PAGE: Final = 200
_NUMBER: Final = re.compile(r"INC-\d{4}-\d{4}-\d{3,9}")
_TAIL: Final = re.compile(r"(\d{4}-)?(\d{4}-)?\d{1,6}")


def whole_number(client: Client, given: str) -> str:
    """The whole number of `given`. Raises Fault when a tail fits no incident of today or still open, or several."""
    stated = given.strip().upper()
    if not _TAIL.fullmatch(stated):
        return _spelled(stated, given)
    ending = f"-{stated.zfill(3)}"
    found = sorted({one.number for one in _current(client) if one.number.endswith(ending)})
    match found:
        case [number]:
            return number
        case []:
            raise Fault(
                f"no incident of today and none that is open ends in {ending}: give its whole number,"
                " see `tocsin incidents list`",
                Code.NOT_FOUND,
            )
        case _:
            raise Fault(f"{given} could be {' or '.join(found)}: give the whole number", Code.USAGE)


def _spelled(stated: str, given: str) -> str:
    """What can be a number is asked for; anything else is refused as it was typed."""
    if _NUMBER.fullmatch(stated):
        return stated
    raise Fault(f"there is no incident {given[:60]!r}: see `tocsin incidents list`", Code.NOT_FOUND)


def pages(
    client: Client, statuses: tuple[str, ...] = (), limit: int | None = None, **which: object
) -> Iterator[IncidentView]:
    """Incidents, newest first, for as long as they are wanted; at most `limit`."""
    after, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        answer = client.get("incidents", status=list(statuses), limit=size, after=after, **which)
        page = read(IncidentPage, answer)
        yield from page.incidents
        after = page.next
        left = None if left is None else left - len(page.incidents)
        if after is None:
            return


def by_id(client: Client) -> Numbers:
    """The numbers of the newest incidents and of all that are open, for answers that name an incident by its id."""
    newest, still_open = pages(client, limit=PAGE), pages(client, SINCE_OPEN)
    return {one.id: one.number for one in (*newest, *still_open)}


def _current(client: Client) -> Iterator[IncidentView]:
    """Those of today (UTC, as in the number) and those still open."""
    today = f"INC-{utc_now():%Y-%m%d}-"
    yield from pages(client, SINCE_OPEN)
    for one in pages(client):
        if not one.number.startswith(today):
            return
        yield one
