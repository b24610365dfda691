"""`tocsin up`: starts the processes of one machine in their order, restarts what dies, stops all in reverse.

Every child leads a session of its own, so a Ctrl-C reaches the supervisor alone and the order of stopping is its to
keep; every child watches a pipe, so none outlives it. Knows no topics, tables or ports: its caller says what to run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from streams import endpoints
from streams.child import Child
from streams.keeper import Keeper, Watch, until
from streams.places import Unusable
from streams.runlock import AlreadyUp, sole_run
from streams.terminal import hung_up

UP_STOPPED, UP_GAVE_UP, UP_UNUSABLE, UP_ALREADY = 0, 1, 2, 3
"""The exit codes of `supervise`."""

_OWN_NAME = "tocsin"


async def supervise(plan: Callable[[], Awaitable[Sequence[Child]]], data_dir: Path) -> int:
    """Runs the planned children until a signal, or until one of them is beyond help; returns the exit code.

    `plan` is called once the data directory is ours alone, so that it may choose ports. Children come after those they
    name in `after`. Speaks on stdout, one line at a time.
    """
    try:
        with sole_run(data_dir) as nonce:
            return await _run(await plan(), data_dir, nonce)
    except AlreadyUp as refusal:
        _print(f"{_OWN_NAME} | {refusal}")
        return UP_ALREADY
    except Unusable as refusal:
        _print(f"{_OWN_NAME} | {refusal}")
        return UP_UNUSABLE


async def _run(children: Sequence[Child], data_dir: Path, nonce: str) -> int:
    width = max(len(name) for name in (_OWN_NAME, *(child.name for child in children)))
    watch = Watch(data_dir, nonce, lambda name, line: _print(f"{name:<{width}} | {line}"))
    keepers = _keepers(children, watch)
    for keeper in keepers:
        endpoints.withdraw(data_dir, keeper.child.name)  # what a killed run left

    def on_signal() -> None:
        if watch.stop.is_set():
            for keeper in keepers:
                keeper.kill()
        else:
            watch.say(_OWN_NAME, "stopping (once more to cut everything off)")
            watch.stop.set()

    def on_hang_up() -> None:  # told twice, by the shell and by the kernel: never the second Ctrl-C
        if not watch.stop.is_set():
            watch.say(_OWN_NAME, "its terminal is gone: stopping")
            watch.stop.set()

    with _signals(on_signal, on_hang_up):
        await asyncio.gather(_tell_when_up(keepers, watch), *(keeper.keep() for keeper in keepers))
    for reason in watch.reasons:
        watch.say(_OWN_NAME, f"gave up: {reason}")
    return UP_GAVE_UP if watch.reasons else UP_STOPPED


async def _tell_when_up(keepers: Sequence[Keeper], watch: Watch) -> None:
    for keeper in keepers:
        await until(watch.stop, keeper.ready)
    if not watch.stop.is_set():
        watch.say(_OWN_NAME, "everything is up; Ctrl-C stops all of it")


def _keepers(children: Sequence[Child], watch: Watch) -> list[Keeper]:
    keepers: dict[str, Keeper] = {}
    for child in children:
        keeper = Keeper(child, watch, tuple(keepers[name] for name in child.after))
        for other in keeper.all_before():
            other.after.append(keeper)
        keepers[child.name] = keeper
    return list(keepers.values())


@contextlib.contextmanager
def _signals(on_signal: Callable[[], None], on_hang_up: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM; and, unless started with nohup, SIGHUP and the end of our terminal."""
    loop = asyncio.get_running_loop()
    reactions = {signal.SIGINT: on_signal, signal.SIGTERM: on_signal}
    watch: asyncio.Future[None] = loop.create_future()
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        reactions[signal.SIGHUP] = on_hang_up
        watch = asyncio.create_task(hung_up())
        watch.add_done_callback(lambda ended: None if ended.cancelled() else on_hang_up())
    for number, react in reactions.items():
        loop.add_signal_handler(number, react)
    try:
        yield
    finally:
        watch.cancel()
        for number in reactions:
            loop.remove_signal_handler(number)


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:  # whoever read us is gone; the children matter more than their words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
