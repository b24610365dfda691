"""`tocsin maintenance`: windows during which nothing of a service pages by itself. POLICY 21."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Final

import typer

from models.maintenance_rules import EVERY_SERVICE
from streams.cli.client import By, Client, Reply, connect, read
from streams.cli.commands import Key, settled
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.output import AsJson, instant, relative, say, say_json, say_table, when
from streams.cli.reviews import due_at
from streams.web.api_maintenance import MaintenanceAnswer, MaintenanceView

SHORT: Final = 8
"""Characters of a window's id that a table shows and commands take."""
_Id = Annotated[str, typer.Argument(metavar="ID", help="As `maintenance list` shows it.")]

windows = typer.Typer(cls=Defaulting, help="Maintenance windows, in which nothing pages: list, add, end, cancel.")


@windows.command("list")
def list_windows(
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also what is over or cancelled, for a month.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists maintenance windows, the soonest first."""
    with connect() as client:
        answer = client.get("maintenance", status=None if all_of_them else ["planned", "started"])
    if as_json:
        say_json(answer)
        return
    rows = [
        (_short(one), _state(one), when(one.starts_at), instant(one.ends_at), _concerned(one), one.title)
        for one in read(list[MaintenanceView], answer)
    ]
    say_table(("id", "status", "from", "to", "services", "title"), rows, "No maintenance is planned.")


@windows.command()
def add(  # noqa: PLR0913 (Typer reads the options from the signature)
    title: Annotated[str, typer.Argument(help="Shown to customers on the status page.")],
    *,
    service: Annotated[list[str] | None, typer.Option(help="Of alerts; may be repeated.")] = None,
    every: Annotated[bool, typer.Option("--all-services", help="Every service but Tocsin itself.")] = False,
    start: Annotated[str | None, typer.Option(help="2026-11-30T22:00Z, or from now: 3d, 12h. Now if left out.")] = None,
    end: Annotated[str, typer.Option(help="The same. UTC unless it says otherwise.")],
    environment: Annotated[str | None, typer.Option(help="In this one alone.")] = None,
    covers_sev1: Annotated[bool, typer.Option("--covers-sev1", help="Not even a SEV1 pages.")] = False,
    by: By,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plans a window; it is announced in Slack and on the status page."""
    if every == bool(service):
        raise Fault("name the services with --service, or say --all-services", Code.USAGE)
    body = {
        "title": title,
        "services": [EVERY_SERVICE] if every else service,
        "environment": environment,
        "starts_at": _at("--start", start).isoformat() if start is not None else None,
        "ends_at": _at("--end", end).isoformat(),
        "covers_sev1": covers_sev1,
        "by": by,
    }
    with connect() as client:
        reply = client.post("maintenance", body=body, key=key)
    if answer := _answer(reply, as_json=as_json):
        one = answer.window
        say(f"Maintenance {_short(one)} of {_concerned(one)}: {when(one.starts_at)} to {instant(one.ends_at)}.")
        for name in answer.unknown:
            say(f"warning: {name} is not in the policy's catalogue of services; is it spelt as alerts spell it?")


@windows.command()
def end(
    window: _Id,
    *,
    at: Annotated[str | None, typer.Option(help="Moves the end there, later or sooner; else it ends now.")] = None,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Ends a window, or moves its end; what it holds pages when it is over."""
    ends_at = _at("--at", at).isoformat() if at is not None else None
    with connect() as client:
        reply = client.post("maintenance", str(_whole_id(client, window)), "end", body={"ends_at": ends_at, "by": by})
    if answer := _answer(reply, as_json=as_json):
        one = answer.window
        if not answer.changed:
            say(f"Nothing to do: it is {one.status}, until {when(one.ends_at)}.")
        elif one.status == "ended":
            fired = "1 incident" if one.fired_count == 1 else f"{one.fired_count} incidents"
            say(f"Maintenance {_short(one)} is over; {fired} fired meanwhile.")
        else:
            say(f"Maintenance {_short(one)} now ends {when(one.ends_at)}.")


@windows.command()
def cancel(window: _Id, *, by: By, as_json: AsJson = False) -> None:
    """Calls a window off; what it holds pages at once."""
    with connect() as client:
        reply = client.post("maintenance", str(_whole_id(client, window)), "cancel", body={"by": by})
    if answer := _answer(reply, as_json=as_json):
        one = answer.window
        say(f"Maintenance {_short(one)} is cancelled." if answer.changed else f"Nothing to do: it is {one.status}.")


def _answer(reply: Reply, *, as_json: bool) -> MaintenanceAnswer | None:
    settled(reply, as_json=as_json)
    return None if as_json else read(MaintenanceAnswer, reply.body)


def _at(option: str, stated: str) -> datetime:
    return due_at(stated, option)


def _state(one: MaintenanceView) -> str:
    return f"{one.status}, ends {relative(one.ends_at)}" if one.status == "started" else one.status


def _concerned(one: MaintenanceView) -> str:
    services = "all services" if EVERY_SERVICE in one.services else ", ".join(one.services)
    return f"{services} ({one.environment})" if one.environment else services


def _whole_id(client: Client, stated: str) -> uuid.UUID:
    """Raises Fault for an id that begins none of the windows, or several."""
    try:
        return uuid.UUID(stated)
    except ValueError:
        pass
    known = read(list[MaintenanceView], client.get("maintenance"))
    found = [one for one in known if stated and str(one.id).startswith(stated.lower())]
    if len(found) == 1:
        return found[0].id
    if not found:
        raise Fault(f"no maintenance window begins with {stated!r}: see `tocsin maintenance list`", Code.NOT_FOUND)
    raise Fault(f"{len(found)} maintenance windows begin with {stated!r}: give more of the id", Code.USAGE)


def _short(one: MaintenanceView) -> str:
    return str(one.id)[:SHORT]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(windows, name="maintenance")
