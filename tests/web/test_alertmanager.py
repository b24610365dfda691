"""A real Alertmanager in front of the receiver: what it does with our answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from models.heartbeat_rules import HeartbeatRule
from streams import topics
from tests.peers.alertmanager import Receiver, StartAlertmanager
from tests.web.conftest import SENDERS
from tests.web.world import World


async def arrived(world: World, status: str, count: int = 1) -> None:
    """Waits until webhooks of that status are on their topic."""
    async with asyncio.timeout(30):
        while sum(json.loads(one.value)["status"] == status for one in world.records(topics.WEBHOOKS)) < count:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_what_it_could_not_deliver_it_delivers_later(
    alertmanager: StartAlertmanager, world: World, address: str, api: httpx.AsyncClient, slash: str
) -> None:
    refusals = 0

    async def away() -> None:
        nonlocal refusals
        refusals += 1
        raise KafkaConnectionError

    world.broken = away
    heartbeats = (HeartbeatRule(name="watchdog"),)
    policy = world.policy.policy.model_copy(update={"heartbeats": heartbeats})
    world._triage = dataclasses.replace(world._triage, policy=policy)
    receiver = Receiver(f"{address}/webhooks/alertmanager{slash}", SENDERS["prod"])
    peer = await asyncio.to_thread(alertmanager, receiver)
    labels = {"alertname": "HighErrorRate", "service": "checkout", "severity": "critical"}
    await asyncio.to_thread(peer.fire, alertname="Watchdog", severity="none")
    await asyncio.to_thread(peer.fire, **labels)
    async with asyncio.timeout(30):
        while refusals < 2:
            await asyncio.sleep(0.05)
    world.broken = None
    await arrived(world, "firing", 2)
    [incident] = (await api.get("/api/v1/incidents")).json()["incidents"]
    assert (incident["severity"], incident["service"]) == ("SEV1", "checkout")
    await asyncio.to_thread(peer.resolve, **labels)
    await arrived(world, "resolved")
    assert (await api.get(f"/api/v1/incidents/{incident['number']}")).json()["status"] == "resolved"
    assert ("prod", "watchdog") in world.store.heartbeats.rows, "noted, and no incident"
