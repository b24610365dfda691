"""`tocsin page --test`: a real page to a level, marked as a test, followed until it is known how it went."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Final

import typer

from streams.cli.client import By, Client, connect, read
from streams.cli.commands import Key, warn_of_recording
from streams.cli.edge import Code, Fault
from streams.cli.output import AsJson, plain, say, say_json
from streams.web.api_models import DeliveryView, PageTestAnswer

FOLLOW: Final = 15.0
"""Seconds."""
_LOOK_EVERY: Final = 0.25
_UNDER_WAY: Final = frozenset({"pending", "sending"})


def page(  # noqa: PLR0913 (Typer reads the options from the signature)
    *,
    test: Annotated[bool, typer.Option("--test", help="Required: only test pages are sent by hand.")] = False,
    level: Annotated[str | None, typer.Option(help="A level of the chain; else its first.")] = None,
    service: Annotated[str | None, typer.Option(help="The chain of this service.")] = None,
    chain: Annotated[str | None, typer.Option(help="One of the policy's escalations; else the default.")] = None,
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
        body = {"level": level, "service": service, "chain": chain, "by": by}
        reply = client.post("pages", "test", body=body, key=key)
        asked = read(PageTestAnswer, reply.body)
        if not as_json:
            say(f"A test page to {plain(asked.level)} is on its way ({_deliveries(asked)}).")
        warn_of_recording(asked)
        until = time.monotonic() + wait
        followed = [_followed(client, one, until) for one in asked.delivery_ids] if wait else []
    if as_json:
        rows = [one.model_dump(mode="json") for one in followed]
        say_json({**reply.body, "delivery": rows[0] if rows else None, "deliveries": rows})
    for one in followed:
        _judge(one, as_json=as_json)


def _deliveries(asked: PageTestAnswer) -> str:
    if len(asked.delivery_ids) == 1:
        return f"delivery {asked.delivery_id}"
    return f"{len(asked.delivery_ids)} deliveries: {plain(', '.join(asked.whom))}"


def _followed(client: Client, delivery_id: uuid.UUID, until: float) -> DeliveryView:
    """The delivery once it is settled, or as it stands `until` then."""
    while True:
        row = read(DeliveryView, client.get("deliveries", str(delivery_id)))
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
