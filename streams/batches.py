"""The fate of a batch: handled, tried again while the fault is the environment's, or dead-lettered with its reason.

Owns the outcome rules and nothing else: it knows neither Faust nor Kafka. It must never let an exception of an agent
escape, never report a record as done that is neither handled nor in the dead letters, and never reorder a partition.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from models.records import Agent, Record, Unreadable

log = logging.getLogger(__name__)

DeadLetter = Callable[[Record, str], Awaitable[None]]
"""Puts a record aside with the reason people will read; returns once that is durable."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.5
LONGEST_REASON: Final = 500


class Abandoned(Exception):
    """The batch is no longer ours to finish (shutdown, or its partitions moved): it will be delivered again."""


class Settler:
    """Runs one agent over batches until each record has its outcome."""

    def __init__(
        self,
        agent: Agent,
        *,
        dead_letter: DeadLetter,
        transient: tuple[type[Exception], ...],
        done: Callable[[Sequence[Record]], None],
    ) -> None:
        self._agent = agent
        self._dead_letter = dead_letter
        self._transient = transient
        self._done = done
        self.trouble: str | None = None
        """What keeps the current batch from being handled, in one line."""

    async def settle(self, batch: Sequence[Record], still_ours: Callable[[], bool]) -> None:
        """Returns when every record is done. Raises Abandoned, and leaves the rest undone, once they are not ours."""
        rest = [batch]
        while rest:
            part = rest.pop()
            error = await self._attempt(partial(self._agent, part), self._is_transient, still_ours)
            if error is not None and len(part) > 1:
                log.info("%s: splitting a batch of %d: %s", part[0].topic, len(part), describe(error))
                middle = len(part) // 2
                rest += [part[middle:], part[:middle]]  # the earlier half is taken first
                continue
            if error is not None:
                await self._bury(part[0], error, still_ours)
            self._done(part)

    async def _bury(self, record: Record, error: Exception, still_ours: Callable[[], bool]) -> None:
        if not isinstance(error, Unreadable):
            log.error("%s: unexpected failure, goes to the dead letters", _place(record), exc_info=error)
        reason = str(error) if isinstance(error, Unreadable) else describe(error)
        # Whatever refuses a dead letter, the record has no other place to go: try until it has one.
        await self._attempt(partial(self._dead_letter, record, reason), lambda _: True, still_ours)

    async def _attempt(
        self,
        call: Callable[[], Awaitable[None]],
        try_again: Callable[[Exception], bool],
        still_ours: Callable[[], bool],
    ) -> Exception | None:
        """None once the call has returned; the error that trying again cannot cure."""
        pause = FIRST_PAUSE
        while still_ours():
            error = await _outcome(call)
            if error is None or not try_again(error):
                self._note(None)
                return error
            self._note(describe(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter, not a secret)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Abandoned

    def _is_transient(self, error: Exception) -> bool:
        if isinstance(error, ExceptionGroup):
            return error.split(self._transient)[1] is None
        return isinstance(error, self._transient)

    def _note(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            if trouble is None:
                log.info("recovered from: %s", self.trouble)
            else:
                log.warning("trying again until it is gone: %s", trouble)
            self.trouble = trouble


async def _outcome(call: Callable[[], Awaitable[None]]) -> Exception | None:
    try:
        await call()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return RuntimeError("the agent was cancelled from inside")
    except Exception as error:  # noqa: BLE001 (the one place where any failure of an agent becomes an outcome)
        return error
    return None


def describe(error: Exception) -> str:
    """One line: the type, and the first line of the message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:LONGEST_REASON] if lines else type(error).__name__


def _place(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"
