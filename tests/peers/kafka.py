"""Real Apache Kafka: one broker in KRaft mode, started by classpath from its jars, once per test session."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.peers.found import java_binary, kafka_jars
from tests.peers.process import Process, free_ports

CLUSTER = "VG9jc2luVGVzdENsdXN0ZQ"  # any 16 bytes in base64
# Quick to start and small: a test's broker lives for a minute.
JVM = ("-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

# One node that is broker and controller; the addresses are filled in at the start.
PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    # Topics are declared, never made by accident.
    "auto.create.topics.enable": "false",
    # Groups form at once, and a test may ask for a short session.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # One replica of everything.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh Apache Kafka. Shared by the session: name topics and groups so that tests do not meet."""
    with apache_kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@contextmanager
def apache_kafka(directory: Path, properties: Mapping[str, str] = PROPERTIES, cluster: str = CLUSTER) -> Iterator[str]:
    """A broker of its own with its data under `directory`, for as long as the context lasts; gives its address."""
    config, log4j = directory / "server.properties", directory / "log4j2.properties"
    java = [java_binary(), *JVM, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{kafka_jars()}/*"]
    port, controller = free_ports(2)
    places = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(directory / "data"),
    }
    config.write_text("".join(f"{name}={value}\n" for name, value in {**properties, **places}.items()))
    log4j.write_text(LOG4J)
    storage = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config)]
    formatted = subprocess.run(storage, capture_output=True, text=True, timeout=60)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    broker = Process([*java, "kafka.Kafka", str(config)], directory / "broker.log")
    try:
        broker.wait_until(lambda: asyncio.run(_answers(f"127.0.0.1:{port}")), within=60)
        yield f"127.0.0.1:{port}"
    finally:
        broker.stop()


async def _answers(bootstrap: str) -> bool:
    """Whether the broker knows itself: it accepts connections a while before it does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
