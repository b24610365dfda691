"""kill -9 of any process, or of all, in the middle of a stream of webhooks: nothing accepted is lost or paged twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.endpoints import find
from streams.process.worker import GROUP
from tests.notifiers.peer import Fault
from tests.stack.stack import Stack, kill_trees
from tests.stack.stream import Stream, unsent
from tests.stack.webhooks import URGENT, new_service, webhook
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("running", ["embedded"], indirect=True)

TAKEN_OVER_WITHIN = 20.0
"""Seconds: ten for the session of a killed worker to end, the rest for a machine that is shared."""
SENT_WITHIN = 40.0
"""Seconds: what a killed worker was sending waits for its lease (6 s) to run out, and for those before it."""
GOES_ON_WITHIN = 15.0
"""Seconds until a webhook is accepted again. It takes two or three on an idle machine; this one is shared."""


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "web", "broker", "database"])
def test_a_killed_process_comes_back_and_nothing_is_lost(stack: Stack, victim: str) -> None:
    with Stream(stack).flowing() as stream:
        stack.kill(victim)
        stream.passes(50, within=GOES_ON_WITHIN)
    stream.assert_each_paged_once(SENT_WITHIN)


def _supervisor(stack: Stack) -> None:
    stack.kill_supervisor()


def _everything(stack: Stack) -> None:
    stack.kill_everything()


@pytest.mark.parametrize("kill", [pytest.param(_supervisor, marks=pytest.mark.slow), _everything])
def test_a_killed_up_is_started_again_and_nothing_is_lost(stack: Stack, kill: Callable[[Stack], None]) -> None:
    with Stream(stack).flowing() as stream:
        kill(stack)
        stack.start()
        stream.passes(50, within=GOES_ON_WITHIN)
    stream.assert_each_paged_once(SENT_WITHIN)


@pytest.mark.slow
def test_a_second_worker_shares_the_work_and_its_death_is_taken_over(stack: Stack) -> None:
    second = stack.command("streams.cli", "worker", log="second-worker.log")
    eventually(lambda: len(members(stack)) == 2, within=40)
    with Stream(stack).flowing() as stream:
        kill_trees([second.pid])
        killed_at = time.monotonic()
        stream.passes(50)
    stream.assert_all_open(TAKEN_OVER_WITHIN - (time.monotonic() - killed_at))
    stream.assert_each_paged_once(SENT_WITHIN)


@pytest.mark.slow
@pytest.mark.parametrize("processed", [True, False], ids=["people were woken", "nobody was woken"])
def test_a_page_that_a_killed_worker_was_sending_is_taken_over(stack: Stack, *, processed: bool) -> None:
    """PagerDuty had the request and had not answered yet: only reading back can tell whether anybody was woken."""
    second = stack.command(
        "streams.cli", "worker", log="second-worker.log", environ={"TOCSIN_PUBLIC_URL": SECOND_WORKER}
    )
    eventually(lambda: len(members(stack)) == 2, within=40)
    page = page_in_flight(stack, Fault("silence", hold=True, processed=processed))
    kill_trees([second.pid])
    killed_at = time.monotonic()

    taken_over_at, _ = eventually(lambda: next(iter(stack.providers.asked(page)[1:]), None), within=SENT_WITHIN)
    assert taken_over_at - killed_at <= TAKEN_OVER_WITHIN
    ident = page.partition("/")[0]
    eventually(lambda: stack.providers.paged(ident) == [page], within=SENT_WITHIN)
    eventually(lambda: not unsent(stack), within=SENT_WITHIN)
    assert stack.providers.paged(ident) == [page], "once, whoever sent it"
    assert stack.providers.doubled() == []


SECOND_WORKER = "https://second.example"
"""The public URL that pages of the second worker, and no others, link to."""


def page_in_flight(stack: Stack, fault: Fault) -> str:
    """The dedup_key of a page that the second worker is sending and that meets `fault`. Whose turn it is is Kafka's."""
    while True:
        stack.providers.befall("enqueue", fault)
        service = new_service("flight")
        stack.deliver(webhook(service, labels=URGENT))
        page = f"{stack.incident_of(service)['id']}/1"
        [(_, told), *_] = eventually(partial(stack.providers.asked, page))
        if told.get("client_url") == SECOND_WORKER:
            return page
        stack.providers.release()
        eventually(lambda: not unsent(stack), within=SENT_WITHIN)


def members(stack: Stack) -> set[str]:
    """Who shares the partitions of the worker's group; empty while they are being shared out."""

    async def ask() -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=str(stack.kafka or find(stack.data_dir, "broker")))
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([GROUP])
            _, _, state, _, _, found, *_ = answer.groups[0]
            return {member[0] for member in found} if state == "Stable" else set()
        finally:
            await admin.close()

    return asyncio.run(ask())
