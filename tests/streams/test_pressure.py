"""Pressure is a late loop and somebody who waits to be woken; neither alone."""

from __future__ import annotations

import asyncio

from streams.pressure import LATE, LOOK_EVERY, REMEMBERED, Pressure


async def _busy_loop(pressure: Pressure) -> None:
    """Looks while something keeps the loop until well after it should have woken up."""
    loop = asyncio.get_running_loop()
    looking = asyncio.create_task(pressure.look())
    await asyncio.sleep(0)
    until = loop.time() + LOOK_EVERY + 2 * LATE
    while loop.time() < until:
        pass
    await looking


async def test_a_late_loop_is_pressure_only_while_something_is_urgent() -> None:
    waiting: list[str] = []
    pressure = Pressure([lambda: bool(waiting)])
    await _busy_loop(pressure)
    assert not pressure.is_high()
    waiting.append("a page")
    assert pressure.is_high()


async def test_pressure_outlasts_a_look_that_was_in_time_and_then_ends() -> None:
    pressure = Pressure([lambda: True])
    await _busy_loop(pressure)
    for _ in range(REMEMBERED - 1):
        pressure.looked(late=0.0)
    assert pressure.is_high()
    pressure.looked(late=0.0)
    assert not pressure.is_high()


async def test_before_the_first_look_there_is_none() -> None:
    assert not Pressure([lambda: True]).is_high()
