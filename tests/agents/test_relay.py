"""The relay of the public feed: what can never be published holds nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agents.relay import relay
from models.records import Outgoing, Unreadable
from tests.world import World


async def _tell(world: World, most: int) -> list[Outgoing]:
    told: list[Outgoing] = []

    async def publish(records: Sequence[Outgoing]) -> None:
        if any(len(record.value) > most for record in records):
            raise Unreadable("larger than a record may be")
        told.extend(records)

    while await relay(world.store, publish, "incident.events"):
        pass
    return told


def test_an_event_that_is_too_large_stops_only_itself() -> None:
    world = World()
    world.alert("Small")
    world.alert("Large", annotations={"description": "x" * 5000})
    world.alert("Later")
    everything = world.store.log
    world.store.published_upto = 0
    told = asyncio.run(_tell(world, 4000))
    assert len(told) == len(everything) - 1
    assert world.store.published_upto == len(everything)
