"""`tocsin dead-letters`: what could not be read, and replaying it once it can be. Speaks to the broker, not the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

import typer
from aiokafka.errors import KafkaError

from models.records import Unreadable
from streams.cli.broker import broker_address
from streams.cli.client import By
from streams.cli.edge import Code, Defaulting, Fault
from streams.cli.letters import Found, Letter, NoTopicError, marker, original, read_letters, whole_letters
from streams.cli.output import AsJson, complain, relative, say, say_json, say_table
from streams.clock import utc_now
from streams.producer import Producer
from streams.settings import read_settings

_SHORTEST: Final = 6
"""Characters of an id that are enough to name a letter."""

_T = TypeVar("_T")


@dataclass(slots=True)
class _Outcome:
    replayed: list[tuple[str, str]] = field(default_factory=list)
    """Ids and the topics that they went back to."""
    kept: list[tuple[str, str]] = field(default_factory=list)
    """Ids and why they cannot be replayed."""


letters = typer.Typer(cls=Defaulting, help="Records that could not be handled: list, replay.")


@letters.command("list")
def list_letters(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists what could not be handled and was not replayed since, oldest first."""
    brokers = broker_address(read_settings())
    found = _with_broker(brokers, read_letters(brokers))
    shown = found.letters if every else found.open()
    if as_json:
        say_json([_fields(letter, found) for letter in shown])
        return
    rows = [
        (
            letter.id,
            relative(letter.at),
            letter.sender,
            letter.topic,
            _size(letter),
            _state(letter, found),
            letter.reason,
        )
        for letter in shown
    ]
    say_table(("id", "died", "sender", "topic", "size", "state", "reason"), rows, "No dead letters.")


@letters.command()
def replay(
    letter: Annotated[str | None, typer.Argument(metavar="ID", help="As `dead-letters list` shows it.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that were not replayed yet, oldest first.")] = False,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Writes dead letters back to where they came from, unchanged.

    The ids stay the same, so what was handled already is not done twice. A body that the receiver refused is replayed
    only if it can be read now. One that dies again becomes a new letter. An incident that a letter opened stays until
    it is resolved.
    """
    if (letter is None) == (not every):
        raise Fault("name one letter, or say --all; see `tocsin dead-letters list`", Code.USAGE)
    brokers = broker_address(read_settings())
    outcome = _with_broker(brokers, _replay(brokers, letter, by))
    if as_json:
        say_json({
            "replayed": [letter_id for letter_id, _ in outcome.replayed],
            "not_replayed": [{"id": letter_id, "why": why} for letter_id, why in outcome.kept],
        })  # fmt: skip
    else:
        for letter_id, topic in outcome.replayed:
            say(f"Replayed {letter_id} to {topic}.")
        if not (outcome.replayed or outcome.kept):
            say("No dead letters to replay.")
    for letter_id, why in outcome.kept:
        complain(f"{letter_id} cannot be replayed: {why}; mend its sender, and resolve its incident by hand")
    if outcome.kept:
        raise typer.Exit(Code.REFUSED)


async def _replay(brokers: str, stated: str | None, by: str) -> _Outcome:
    """One letter at a time, so that one body is in memory however many there are."""
    found = await read_letters(brokers)
    chosen = {_chosen(found, stated).id} if stated is not None else {letter.id for letter in found.open()}
    outcome = _Outcome()
    if not chosen:
        return outcome
    async with Producer(brokers) as producer, aclosing(whole_letters(brokers, chosen)) as whole:
        async for letter in whole:
            try:
                record = original(letter)
            except Unreadable as error:
                outcome.kept.append((letter.id, str(error)))
                continue
            await producer.publish([record])
            await producer.publish([marker(letter, by, utc_now())])
            outcome.replayed.append((letter.id, record.topic))
    return outcome


def _chosen(found: Found, stated: str) -> Letter:
    """Also one that was replayed before: its name was given. Raises Fault."""
    begun = [letter for letter in found.letters if len(stated) >= _SHORTEST and letter.id.startswith(stated.lower())]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise Fault(f"{len(begun)} dead letters begin with {stated}: give more of the id", Code.USAGE)
    raise Fault(f"there is no dead letter {stated!r}: see `tocsin dead-letters list --all`", Code.NOT_FOUND)


def _with_broker(brokers: str, work: Coroutine[Any, Any, _T]) -> _T:
    """Runs `work` to its end. Raises Fault for what a broker does."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it logs is said here, in one line
    try:
        return asyncio.run(work)
    except NoTopicError as error:
        raise Fault(f"the broker at {brokers} has no topic {error}: run `tocsin migrate`") from None
    except (KafkaError, OSError) as error:
        why = f" ({error})" if str(error) and brokers not in str(error) else ""
        raise Fault(f"the broker at {brokers} does not answer{why}: see `tocsin doctor`", Code.UNREACHABLE) from None


def _fields(letter: Letter, found: Found) -> dict[str, object]:
    return {
        "id": letter.id,
        "topic": letter.topic,
        "sender": letter.sender,
        "reason": letter.reason,
        "at": letter.at.isoformat(),
        "size": letter.size,
        "refused": letter.refused,
        "replayed": letter.id in found.replayed,
    }


def _state(letter: Letter, found: Found) -> str:
    if letter.id in found.replayed:
        return "replayed"
    return "refused" if letter.refused else "dead"


def _size(letter: Letter) -> str:
    return f"{letter.size} B" if letter.size < 1024 else f"{letter.size / 1024:.0f} KiB"


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(letters, name="dead-letters")
