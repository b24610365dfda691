"""kill -9 of any process, or of all, in the middle of a stream of webhooks: nothing accepted is lost or paged twice,
and the ledger proves it.
"""

from __future__ import annotations

import asyncio
import json
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
from tests.stack.test_operator import types
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
    assert_nothing_is_lost(stack, stream)


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
    assert_nothing_is_lost(stack, stream)


@pytest.mark.slow
def test_a_second_worker_shares_the_work_and_its_death_is_taken_over(stack: Stack) -> None:
    second = stack.command("streams.cli", "worker", log="second-worker.log")
    eventually(lambda: len(members(stack)) == 2, within=40)
    with Stream(stack).flowing() as stream:
        kill_trees([second.pid])
        killed_at = time.monotonic()
        stream.passes(50)
    stream.assert_all_open(TAKEN_OVER_WITHIN - (time.monotonic() - killed_at))
    assert_nothing_is_lost(stack, stream)
    assert eventually(lambda: watched(stack)) == "0.0"


@pytest.mark.slow
def test_a_page_that_a_killed_worker_was_sending_is_taken_over(stack: Stack) -> None:
    """PagerDuty had the request and had not answered yet: only reading back can tell whether anybody was woken."""
    second = stack.command(
        "streams.cli", "worker", log="second-worker.log", environ={"TOCSIN_PUBLIC_URL": SECOND_WORKER}
    )
    eventually(lambda: len(members(stack)) == 2, within=40)
    providers, in_flight = stack.providers, pages_in_flight(stack)
    kill_trees([second.pid])
    killed_at = time.monotonic()

    def taken_over(page: str) -> float | None:
        return next((at for at, _ in providers.asked(page)[1:]), None)

    for page in in_flight:
        assert eventually(partial(taken_over, page), within=SENT_WITHIN) - killed_at <= TAKEN_OVER_WITHIN
    idents = [page.partition("/")[0] for page in in_flight]
    eventually(lambda: [providers.paged(ident) for ident in idents] == [[page] for page in in_flight], SENT_WITHIN)
    eventually(lambda: not unsent(stack), within=SENT_WITHIN)
    assert [providers.paged(ident) for ident in idents] == [[page] for page in in_flight], "once, whoever sent it"
    assert providers.doubled() == []


SECOND_WORKER = "https://second.example"
"""The public URL that pages of the second worker, and no others, link to."""
AT_ONCE = 8
"""Pages. That one worker sends them all, or none that woke people, is rare."""


def pages_in_flight(stack: Stack) -> tuple[str, str]:
    """The dedup_keys of two pages that the second worker is sending: PagerDuty woke people for the first and nobody for
    the other, and answers neither. Whose turn it is is Kafka's.
    """
    providers = stack.providers
    while True:
        woken, lost = (Fault("silence", hold=True, processed=processed) for processed in (True, False))
        providers.befall("enqueue", *[woken, lost] * (AT_ONCE // 2))
        services = [new_service("flight") for _ in range(AT_ONCE)]
        for service in services:
            stack.deliver(webhook(service, labels=URGENT))
        pages = [f"{stack.incident_of(service)['id']}/1" for service in services]
        told = {page: eventually(partial(providers.asked, page))[0][1] for page in pages}
        seconds = [page for page in pages if told[page].get("client_url") == SECOND_WORKER]
        by_fate = {page in providers.pages: page for page in seconds}
        if len(by_fate) == 2:
            return by_fate[True], by_fate[False]
        providers.release()
        eventually(lambda: not unsent(stack), within=SENT_WITHIN)


def assert_nothing_is_lost(stack: Stack, stream: Stream) -> None:
    """By what PagerDuty was sent, and by the log of everything that the stack has ever been through."""
    stream.assert_each_paged_once(SENT_WITHIN)
    result = types(stack, "verify", "--json")
    answer = json.loads(result.stdout)
    assert (answer["findings"], result.exit_code) == ([], 0)
    assert answer["incidents"] >= len(stream.accepted)
    assert "no findings" in types(stack, "verify", "--since", "1h").stdout


def watched(stack: Stack) -> str | None:
    """How many findings the watch of web has; None before its first look."""
    lines = stack.client.get("/metrics").text.splitlines()
    [count] = [line.split()[1] for line in lines if line.startswith("tocsin_verify_findings ")]
    return None if count == "NaN" else count


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
