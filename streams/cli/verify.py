"""`tocsin verify`: proves from the database alone that nothing was lost, or says what was. Changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from models.policy_fields import parse_duration
from models.store.errors import StoreError
from models.store.store import Store
from streams.cli.edge import Code, Fault
from streams.cli.output import AsJson, instant, plain, say, say_json
from streams.places import Unusable
from streams.policies import Policies
from streams.process.places import database_url
from streams.settings import Settings, policy_in_force, read_settings
from streams.verify import Examiner, Verified


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Since = Annotated[
    timedelta | None,
    typer.Option(
        "--since", parser=_span, metavar="SPAN", help="What changed within it, as 24h or 7d; else all that is kept."
    ),
]


def verify(*, since: Since = None, as_json: AsJson = False) -> None:
    """Proves that no deadline and no page was lost, and that the log is whole. Ends with 1 when one of it is not so."""
    settings = read_settings()
    try:
        verified = asyncio.run(_verified(settings, database_url(settings), since))
    except (StoreError, Unusable) as error:
        raise Fault(str(error), Code.UNREACHABLE) from None
    if as_json:
        say_json(_json(verified))
    else:
        _say(verified)
    if verified.findings:
        raise typer.Exit(Code.REFUSED)


async def _verified(settings: Settings, url: str, since: timedelta | None) -> Verified:
    store = await Store.open(url)
    try:
        policies = Policies(policy_in_force(settings), store.policy_text)
        examiner = Examiner(store.evidence, policies, settings.keep_ended)
        return await examiner.whole(since or settings.keep_ended)
    finally:
        await store.close()


def _say(verified: Verified) -> None:
    for one in verified.findings:
        evidence = ", ".join(f"{name} {value}" for name, value in one.evidence.items())
        say(plain(f"{one.number or '-'}  {one.kind}  {one.message} ({evidence}). Do: {one.remedy}"))
    incidents = f"{verified.incidents} incident{'' if verified.incidents == 1 else 's'}"
    found = f"{len(verified.findings) or 'no'} finding{'' if len(verified.findings) == 1 else 's'}"
    say(
        f"{found}; looked at {incidents}, open or changed since {instant(verified.since)}, and at every armed deadline."
    )


def _json(verified: Verified) -> dict[str, object]:
    return {
        "ok": not verified.findings,
        "since": verified.since.isoformat(),
        "now": verified.now.isoformat(),
        "incidents": verified.incidents,
        "findings": [{**asdict(one), "remedy": one.remedy} for one in verified.findings],
    }


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(verify)
