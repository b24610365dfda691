"""The web process on a real broker and a real database, with the agents at work between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from agents import lifecycle, relay, review, triage
from agents.lifecycle import LifecyclePorts
from agents.review import ReviewPorts
from agents.triage import TriagePorts
from models.deliveries import Delivered, Provider
from models.records import Record
from models.store.store import Store
from notifiers.render import publication
from streams import topics
from streams.clock import utc_now
from streams.policies import Policies
from streams.process import web
from streams.processes import Supervised
from streams.producer import Producer
from streams.settings import Settings, policy_in_force
from streams.values import Bind
from tests.streams.brokers import embedded_broker
from tests.web.conftest import API_TOKEN, PAGERDUTY_SECRETS, SENDERS, client_of
from tests.web.test_api import declared
from tests.web.test_pagerduty import event, told
from tests.web.world import webhook

Client = httpx.AsyncClient


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> object:
    with embedded_broker(tmp_path_factory.mktemp("broker")) as address:
        asyncio.run(topics.declare(address))
        yield address


@contextlib.asynccontextmanager
async def web_process(brokers: str, database_url: str, **more: Any) -> AsyncIterator[str]:
    settings = Settings(
        web_bind=Bind("127.0.0.1", 0),
        webhook_tokens={"prod": SecretStr(SENDERS["prod"])},
        api_token=SecretStr(API_TOKEN),
        pagerduty_webhook_secret=tuple(map(SecretStr, PAGERDUTY_SECRETS)),
        kafka=brokers,
        database_url=SecretStr(database_url),
        **more,
    )
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    process = asyncio.create_task(web.main(settings, Supervised(stop, address.set_result), 0))
    try:
        yield await asyncio.wait_for(address, 10)
    finally:
        stop.set()
        await asyncio.wait_for(process, 20)


@contextlib.asynccontextmanager
async def agents_at_work(brokers: str, database_url: str) -> AsyncIterator[Store]:
    """The agents of a worker without Faust, on what is published from now on."""
    store = await Store.open(database_url)
    policy = policy_in_force(Settings())
    async with Producer(brokers) as producer:
        policies, publish = Policies(policy, store.policy_text), producer.publish
        triage_ports = TriagePorts(policy.policy, policy.version, publish, store, topics.SIGNALS, store.heartbeats)
        lifecycle_ports = LifecyclePorts(store, policies, lambda _: None)
        review_ports = ReviewPorts(store, policies, lambda _: None, store.log.endings)
        agents: dict[str, Callable[[Record], Awaitable[None]]] = {
            topics.WEBHOOKS: lambda record: triage.run([record], triage_ports),
            topics.SIGNALS: lambda record: lifecycle.run([record], lifecycle_ports),
            topics.EVENTS: lambda record: review.follow([record], review_ports),
            topics.REVIEW_SIGNALS: lambda record: review.run([record], review_ports),
        }
        consumer = AIOKafkaConsumer(*agents, bootstrap_servers=brokers, auto_offset_reset="latest")
        await consumer.start()
        await consumer.seek_to_end()

        async def work() -> None:
            async for got in consumer:
                record = Record(got.topic, got.partition, got.offset, got.key, got.value, dict(got.headers))
                await agents[got.topic](record)
                await relay.relay(store.log, publish, topics.EVENTS)
                await _publish_pages(store)

        worker = asyncio.create_task(work())
        yield store
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        await consumer.stop()
    await store.close()


async def _publish_pages(store: Store) -> None:
    """What the courier of the status page does."""
    for claimed in await store.outbox.claim(Provider.STATUSPAGE, 10, timedelta(seconds=30)):
        await store.publish(publication(claimed.delivery))
        await store.outbox.finish([(claimed, Delivered("published"), None)])


@contextlib.asynccontextmanager
async def clients(address: str) -> AsyncIterator[tuple[Client, Client, Client]]:
    """Alertmanager, a person with the API's token, and anybody."""
    async with (
        client_of(address, SENDERS["prod"], timeout=20) as alertmanager,
        client_of(address, API_TOKEN, timeout=20) as person,
        client_of(address, timeout=20) as anybody,
    ):
        yield alertmanager, person, anybody


async def until_one_incident(person: Client) -> str:
    async with asyncio.timeout(15):
        while not (found := (await person.get("/api/v1/incidents")).json()["incidents"]):
            await asyncio.sleep(0.02)
    number: str = found[0]["number"]
    return number


async def test_the_whole_life_of_an_incident(brokers: str, database_url: str) -> None:
    async with (
        web_process(brokers, database_url) as address,
        agents_at_work(brokers, database_url) as store,
        clients(address) as (alertmanager, person, anybody),
    ):
        assert (await alertmanager.post("/webhooks/alertmanager", json=webhook())).status_code == 202
        here = f"/api/v1/incidents/{await until_one_incident(person)}"
        incident = await store.reads.incident_by_number(here.rsplit("/", 1)[1])
        assert incident is not None

        assert (await told(anybody, event(incident))).status_code == 200
        async with asyncio.timeout(10):
            while (await person.get(here)).json()["acknowledged_by"] != "Älice":
                await asyncio.sleep(0.02)
        key = {"Idempotency-Key": "once"}
        paged = [await person.post(f"{here}/escalate", headers=key) for _ in range(2)]
        assert [(answer.status_code, len(answer.json()["incident"]["pages"])) for answer in paged] == [(200, 2)] * 2
        said = {"message": "Rolling back.", "stage": "identified", "by": "alice"}
        assert (await person.post(f"{here}/updates", json=said)).json()["changed"] is True
        over = await person.post(f"{here}/resolve", json={"by": "alice", "note": "rolled back"})
        assert over.json()["incident"]["status"] == "resolved"
        assert (await person.post(f"{here}/acknowledge")).json()["changed"] is False

        async with asyncio.timeout(10):
            while not (await person.get("/api/v1/postmortems", params={"status": "open"})).json():
                await asyncio.sleep(0.02)
        asked = {"title": "Canary", "owner": "bob", "due_at": (utc_now() + timedelta(days=2)).isoformat()}
        item = (await person.post(f"{here}/action-items", json=asked)).json()["action_item"]
        done = await person.post(f"/api/v1/action-items/{item['id']}/complete")
        assert (done.status_code, done.json()["changed"]) == (200, True)
        held = await person.post(f"{here}/postmortem/complete", json={"url": "https://wiki.example/1"})
        assert held.json()["postmortem"]["status"] == "completed"
        for about in ("timeline", "deliveries", "deadlines", "action-items"):
            assert (await person.get(f"{here}/{about}")).json(), about
        async with asyncio.timeout(10):
            while "Rolling back." not in (await anybody.get("/history.atom")).text:
                await asyncio.sleep(0.1)


async def test_commands_that_reach_no_incident_of_the_store(brokers: str, database_url: str) -> None:
    async with (
        web_process(brokers, database_url) as address,
        agents_at_work(brokers, database_url),
        clients(address) as (_, person, anybody),
    ):
        numbers = [(await declared(person, title=f"T{n}"))["number"] for n in range(5)]
        page = (await person.get("/api/v1/incidents", params={"limit": 3})).json()
        rest = (await person.get("/api/v1/incidents", params={"limit": 3, "after": page["next"]})).json()
        listed = [incident["number"] for incident in page["incidents"] + rest["incidents"]]
        assert (listed, rest["next"]) == (numbers[::-1], None)
        key = {"Idempotency-Key": "test"}
        tested = [await person.post("/api/v1/pages/test", headers=key) for _ in range(2)]
        assert [answer.status_code for answer in tested] == [202, 202], tested[1].text
        sent = (await person.get(f"/api/v1/deliveries/{tested[0].json()['delivery_id']}")).json()
        assert (sent["test"], sent["level"], sent["status"]) == (True, "primary", "pending")
        ready = await anybody.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        shown = (await anybody.get("/metrics")).text
        assert 'tocsin_incidents_open{severity="SEV1"} 5.0' in shown
        assert "tocsin_database_up 1.0" in shown
        for path in ("/api/v1/incidents/nul%00", "/api/v1/incidents?service=%00"):
            assert (await person.get(path)).status_code in {404, 422}


async def test_web_needs_neither_broker_nor_database_to_start(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    async with web_process("127.0.0.1:9", nowhere) as address, clients(address) as (alertmanager, person, anybody):
        refused = await alertmanager.post("/webhooks/alertmanager", json=webhook())
        assert (refused.status_code, refused.json()["error"]) == (503, "the broker does not take the webhook")
        assert (await person.get("/api/v1/incidents")).status_code == 503
        assert (await person.post("/api/v1/pages/test")).status_code == 503
        assert (await anybody.get("/")).status_code == 503
        ready = await anybody.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert "tocsin_database_up 0.0" in (await anybody.get("/metrics")).text
        assert (await anybody.get("/health/live")).status_code == 200


async def test_a_broker_that_comes_back_takes_webhooks_again(tmp_path: Path, database_url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        with embedded_broker(tmp_path) as brokers:
            await topics.declare(brokers)
            address = await stack.enter_async_context(web_process(brokers, database_url))
        alertmanager, _, anybody = await stack.enter_async_context(clients(address))
        assert (await alertmanager.post("/webhooks/alertmanager", json=webhook())).status_code == 503
        assert (await anybody.get("/health/ready")).status_code == 503
        with embedded_broker(tmp_path, brokers):
            async with asyncio.timeout(20):
                while (await alertmanager.post("/webhooks/alertmanager", json=webhook())).status_code != 202:
                    await asyncio.sleep(0.1)
            assert (await anybody.get("/health/ready")).status_code == 200
            assert await _kept(brokers) >= 1


async def _kept(brokers: str) -> int:
    consumer = AIOKafkaConsumer(topics.WEBHOOKS, bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(consumer.assignment())).values())
    finally:
        await consumer.stop()


async def test_a_broker_and_a_database_that_accept_and_say_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"127.0.0.1:{mute.getsockname()[1]}"
        async with (
            web_process(place, f"postgresql://nobody@{place}/none") as address,
            clients(address) as (alertmanager, person, anybody),
        ):
            started = monotonic()
            answers = await asyncio.gather(
                *(alertmanager.post("/webhooks/alertmanager", json=webhook()) for _ in range(10)),
                anybody.get("/health/ready"),
                anybody.get("/api/v2/summary.json"),
                person.get("/api/v1/incidents"),
            )
            assert {answer.status_code for answer in answers} == {503}
            assert monotonic() - started < 8
