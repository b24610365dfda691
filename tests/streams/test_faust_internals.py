"""What streams/guard.py and streams/group.py take for granted about Faust. If it fails: read upstream's change first.

Faust is pinned exactly. Whoever moves the pin compares the listed methods with those they were read from, checks the
guard against them, and then writes the new version and fingerprints down here.
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version

import pytest
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from faust.app.base import App, BootStrategy
from faust.events import Event
from faust.tables.recovery import Recovery
from faust.transport.base import Transport
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from mode.threads import ServiceThread

from streams.group import App as GuardedApp
from streams.group import faust_app
from streams.guard import GuardedConsumer, GuardedConsumerThread, GuardedTransport


@pytest.mark.parametrize(
    ("distribution", "pinned"),
    [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")],
)
def test_the_versions_the_guard_was_read_against(distribution: str, pinned: str) -> None:
    assert version(distribution) == pinned


OVERRIDDEN = [
    (Consumer, "_drain_messages"),
    (Consumer, "_getmany"),
    (Consumer, "_new_offset"),
    (Consumer, "_filter_tps_with_pending_acks"),
    (Consumer, "_commit_offsets"),
    (Consumer, "ack"),
    (Consumer, "verify_event_path"),
    (Consumer, "on_partitions_revoked"),
    (Consumer, "on_partitions_assigned"),
    (ThreadDelegateConsumer, "_new_consumer_thread"),
    (driver.AIOKafkaConsumerThread, "on_start"),
    (driver.AIOKafkaConsumerThread, "_fetch_records"),
    (driver.AIOKafkaConsumerThread, "seek_to_committed"),
    (ServiceThread, "on_crash"),
    (ServiceThread, "_start_thread"),
    (App, "_create_directories"),
    (App, "_on_agent_error"),
]
RELIED_ON = [
    (Consumer, "getmany"),  # not called any more: the guard's _drain_messages does what it did
    (Consumer, "_wait_next_records"),
    (Consumer, "_commit_tps"),
    (Consumer, "_filter_committable_offsets"),
    (Consumer, "_should_commit"),
    (Consumer, "perform_seek"),
    (Consumer, "commit"),
    (Consumer, "force_commit"),
    (Consumer, "on_stop"),
    (ThreadDelegateConsumer, "_commit"),
    (driver.Consumer, "_to_message"),
    (driver.AIOKafkaConsumerThread, "_commit"),
    (App, "_on_partitions_revoked"),
    (App, "_on_partitions_assigned"),
    (App, "_stop_consumer"),
    (BootStrategy, "server"),
    (Recovery, "_resume_streams"),  # seeks to the committed offsets after every rebalance, before the flow resumes
    (Transport, "create_consumer"),
    (Event, "ack"),
    (Fetcher, "fetched_records"),  # an empty set of partitions means all; no await after a record was taken
    (AIOKafkaConsumer, "seek"),  # synchronous
]

FINGERPRINTS = """
faust.transport.consumer.Consumer._drain_messages 44a2500309e8
faust.transport.consumer.Consumer._getmany fea4952545b4
faust.transport.consumer.Consumer._new_offset 1d2c7ea89a7a
faust.transport.consumer.Consumer._filter_tps_with_pending_acks f6f923977423
faust.transport.consumer.Consumer._commit_offsets 1a6979904118
faust.transport.consumer.Consumer.ack 5fcf41cf4515
faust.transport.consumer.Consumer.verify_event_path aead7dc3d8dc
faust.transport.consumer.Consumer.on_partitions_revoked d04b7ae72c6f
faust.transport.consumer.Consumer.on_partitions_assigned 29ce96596f05
faust.transport.consumer.ThreadDelegateConsumer._new_consumer_thread 79e9c029a91a
faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.on_start 38b4e8bd1e10
faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._fetch_records 39a2c6c79fc1
faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.seek_to_committed 775ab0adc4b0
mode.threads.ServiceThread.on_crash d1b1624686ba
mode.threads.ServiceThread._start_thread a06373478446
faust.app.base.App._create_directories a9f571c3b04a
faust.app.base.App._on_agent_error bdd12f286de6
faust.transport.consumer.Consumer.getmany 4b168d84882a
faust.transport.consumer.Consumer._wait_next_records 6218e1969a63
faust.transport.consumer.Consumer._commit_tps a20e230b05ae
faust.transport.consumer.Consumer._filter_committable_offsets dc5e9baf5d99
faust.transport.consumer.Consumer._should_commit 5ce941793947
faust.transport.consumer.Consumer.perform_seek 0e8c130ff4b0
faust.transport.consumer.Consumer.commit a354437baaa0
faust.transport.consumer.Consumer.force_commit cc094614d22c
faust.transport.consumer.Consumer.on_stop 45b1d2210ce2
faust.transport.consumer.ThreadDelegateConsumer._commit a20eec84e4b2
faust.transport.drivers.aiokafka.Consumer._to_message 7c24f6511b2f
faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._commit 932852ce7a23
faust.app.base.App._on_partitions_revoked d5c895bbe57d
faust.app.base.App._on_partitions_assigned de932b7927db
faust.app.base.App._stop_consumer 55854a5de12c
faust.app.base.BootStrategy.server 97e47ea1dec3
faust.tables.recovery.Recovery._resume_streams d986a6710c1a
faust.transport.base.Transport.create_consumer 46cc2bf5ab14
faust.events.Event.ack 2d29a6eda87c
aiokafka.consumer.fetcher.Fetcher.fetched_records be4348896b9b
aiokafka.consumer.consumer.AIOKafkaConsumer.seek a9430f1f3b9a
"""


def fingerprint(owner: type, name: str) -> str:
    source = inspect.getsource(inspect.unwrap(getattr(owner, name)))
    return f"{owner.__module__}.{owner.__qualname__}.{name} {hashlib.sha256(source.encode()).hexdigest()[:12]}"


def test_the_methods_read_are_still_the_same() -> None:
    now = [fingerprint(owner, name) for owner, name in OVERRIDDEN + RELIED_ON]
    assert now == FINGERPRINTS.split("\n")[1:-1]


@pytest.mark.parametrize(("owner", "name"), OVERRIDDEN)
def test_an_override_takes_what_faust_passes(owner: type, name: str) -> None:
    guards: dict[type, type] = {Consumer: GuardedConsumer, ThreadDelegateConsumer: GuardedConsumer, App: GuardedApp}
    ours = getattr(guards.get(owner, GuardedConsumerThread), name)
    assert ours is not getattr(owner, name), "the guard does override it"
    signature = inspect.signature(ours)
    assert set(inspect.signature(getattr(owner, name)).parameters) <= set(signature.parameters) or "**" in str(
        signature
    )


async def test_the_application_uses_the_guard_and_starts_nothing_else() -> None:
    app = faust_app("group", "127.0.0.1:1")
    assert isinstance(app.transport, GuardedTransport)
    assert isinstance(app.consumer, GuardedConsumer)
    assert isinstance(app.guarded_consumer._thread, GuardedConsumerThread)
    consumer = app.guarded_consumer
    for attribute in ("callback", "scheduler", "flow_active", "suspend_flow", "_committed_offset", "transactions"):
        assert hasattr(consumer, attribute), attribute
    started = [type(service).__name__ for service in app.boot_strategy.server()]
    assert started == [
        "GuardedConsumer",
        "LeaderAssignor",
        "ReplyConsumer",
        "AgentManager",
        "Conductor",
        "TableManager",
    ]
    assert not app.conf.web_enabled
    assert not app.conf.stream_wait_empty
    assert not app.in_transaction
