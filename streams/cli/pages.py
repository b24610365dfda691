"""`tocsin page --test`: a real page to a level, marked as a test, followed until it is known how it went."""

from __future__ import annotations

import time
from typing import Annotated, Final

import typer

from streams.cli.client import By, Client, connect, read
from streams.cli.commands import Key
from streams.cli.edge import Code, Fault
from streams.cli.output import AsJson, complain, plain, say, say_json
from streams.web.api_models import DeliveryView, PageTestAnswer

FOLLOW: Final = 15.0
"""Seconds."""
_LOOK_EVERY: Final = 0.25
_UNDER_WAY: Final = frozenset({"pending", "sending"})


def page(
    *,
    test: Annotated[bool, typer.Option("--test", help="Required: only test pages are sent by hand.")] = False,
    level: Annotated[str | None, typer.Option(help="A level of the policy; else its first.")] = None,
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to follow it; 0 does not.")] = FOLLOW,
    by: By,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Pages a level for real, marked as a test.

    Waits for how it went, and says so.
    """
    if not test:
        raise Fault("only test pages are sent by hand: add --test, or `tocsin declare` an incident", Code.USAGE)
    with connect() as client:
        reply = client.post("pages", "test", body={"level": level, "by": by}, key=key)
        asked = read(PageTestAnswer, reply.body)
        if not as_json:
            say(f"A test page to {asked.level} is on its way (delivery {asked.delivery_id}).")
        if asked.recording:
            complain("pages are only recorded here, so nobody is paged; see `tocsin doctor` for why")
        followed = _followed(client, asked, wait) if wait else None
    if as_json:
        say_json({**reply.body, "delivery": followed.model_dump(mode="json") if followed else None})
    if followed is not None:
        _judge(followed, as_json=as_json)


def _followed(client: Client, asked: PageTestAnswer, wait: float) -> DeliveryView:
    """The delivery once it is settled, or as it stands when `wait` is over."""
    until = time.monotonic() + wait
    while True:
        row = read(DeliveryView, client.get("deliveries", str(asked.delivery_id)))
        if row.status not in _UNDER_WAY or time.monotonic() >= until:
            return row
        time.sleep(_LOOK_EVERY)


def _judge(row: DeliveryView, *, as_json: bool) -> None:
    how = f": {row.detail}" if row.detail else ""
    if row.status == "delivered":
        if not as_json:
            say(f"{plain(row.detail).capitalize()}." if row.recorded else f"Delivered{how}.")
        return
    if row.status in _UNDER_WAY:
        raise Fault(
            f"the page is {row.status}, {row.attempts} attempts{how}; is a worker running? See `tocsin deliveries`",
            Code.LATER,
        )
    raise Fault(f"the page was not delivered ({row.status}){how}; see `tocsin doctor`")


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(page)
