"""Keeps one child running: in its turn, again when it dies, until told to stop. Knows its neighbours, not the whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streams import endpoints
from streams.child import Child, Run
from streams.places import Unusable
from streams.processes import EXIT_UNUSABLE


@dataclass(frozen=True, slots=True)
class Watch:
    """What all keepers of one `tocsin up` share."""

    data_dir: Path
    nonce: str
    say: Callable[[str, str], None]
    """Who says it, and the line."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reasons: list[str] = field(default_factory=list)
    """Why it was given up; empty when people asked for the stop."""

    def give_up(self, reason: str) -> None:
        self.reasons.append(reason)
        self.stop.set()


@dataclass(slots=True, eq=False)
class Keeper:
    """Starts once those `before` it are ready; stops once all `after` it, near or far, have ended."""

    child: Child
    watch: Watch
    before: tuple[Keeper, ...]
    after: list[Keeper] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""
    run: Run | None = None

    async def keep(self) -> None:
        """Returns once the child has ended for good; its failures end in `Watch.give_up`."""
        try:
            for other in self.before:
                await until(self.watch.stop, other.ready)
            await self._run_again_and_again()
        except Unusable as refusal:
            self.watch.give_up(str(refusal))
        finally:
            self.ended.set()

    def kill(self) -> None:
        if self.run is not None:
            self.run.kill()

    def all_before(self) -> list[Keeper]:
        """Those this child needs, and what they need in turn, each once."""
        return list(dict.fromkeys(far for near in self.before for far in (*near.all_before(), near)))

    async def _run_again_and_again(self) -> None:
        restarts, failures, clock = self.child.restarts, 0, asyncio.get_running_loop().time
        while not self.watch.stop.is_set():
            began = clock()
            problem = await self._one_run()
            if problem is None:
                return
            failures = 1 if clock() - began > restarts.settled_after.total_seconds() else failures + 1
            if failures >= restarts.limit and not self.ready.is_set():  # what has worked may work again: never give up
                raise Unusable(f"{self.child.name} {problem}, {failures} times in a row: its lines above say why")
            self._say(f"{problem}; starting it again")
            await until(self.watch.stop, within=restarts.pause(failures))

    async def _one_run(self) -> str | None:
        """One run of the child: why it should not have ended, or None where all is well. Raises `Unusable`."""
        say, name = self.watch.say, self.child.name
        told = {other.child.provides: other.address for other in self.all_before() if other.child.provides}
        try:
            self.run = run = await Run.start(self.child, told, lambda line: say(name, line))
        except OSError as error:
            raise Unusable(f"{name} cannot be started: {self.child.argv[0]}: {error.strerror}") from error
        try:
            in_time = await self._until_ready(run)
            if in_time:
                await until(self.watch.stop, task=run.ended)
            if self.watch.stop.is_set():
                await self._stop_in_turn(run)
                return None
            if not in_time:
                await run.stop(self.child.stop_within)
            code = await run.ended
        finally:
            self.run = None
            endpoints.withdraw(self.watch.data_dir, name)
        return self._problem(code) if in_time else f"was not ready within {self.child.ready_within.total_seconds():g} s"

    async def _until_ready(self, run: Run) -> bool:
        """Waits until the child is ready, has ended or is to stop. False: none of it came in time."""
        within = self.child.ready_within.total_seconds()
        if self.child.once:
            return await until(self.watch.stop, task=run.ended, within=within)
        if not await until(self.watch.stop, task=run.address, within=within):
            return False
        if run.address.done() and not run.address.cancelled():
            self._publish(run.address.result())
        return True

    def _publish(self, address: str) -> None:
        self.address = address
        try:
            endpoints.publish(self.watch.data_dir, self.child.name, address, self.watch.nonce)
        except Unusable as refusal:  # it runs all the same; only commands on this machine will not find it
            self._say(str(refusal))
        self._say(f"answers at {address}" if address.startswith("http") else "is ready")  # others hold secrets
        self.ready.set()

    async def _stop_in_turn(self, run: Run) -> None:
        for other in self.after:
            await other.ended.wait()
        if not await run.stop(self.child.stop_within):
            self._say(f"did not stop within {self.child.stop_within.total_seconds():g} s and was cut off")

    def _problem(self, code: int) -> str | None:
        if self.child.once and code == 0:
            self.ready.set()
            return None
        if code == EXIT_UNUSABLE and not self.ready.is_set():
            raise Unusable(f"{self.child.name} cannot start: its line above says why")
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _say(self, line: str) -> None:
        self.watch.say("tocsin", f"{self.child.name} {line}")


async def until(
    *events: asyncio.Event, task: asyncio.Task[str] | asyncio.Task[int] | None = None, within: float | None = None
) -> bool:
    """Waits for the first of them, which it leaves as it is; False when that takes too long."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(
            [*waits, *([task] if task else [])], timeout=within, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)
