"""Dead letters on a real broker: listed, replayed as they were, and marked."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.dead_letters import Burial, bury, refuse
from models.records import Outgoing, Record
from models.webhook_record import Stamp, webhook_record
from streams import topics
from streams.clock import utc_now
from streams.producer import Producer
from streams.settings import Settings, policy_in_force
from tests.cli.conftest import Operator
from tests.streams.brokers import embedded_broker
from tests.web.world import webhook

GOOD = json.dumps(webhook()).encode()


@pytest.fixture
def graveyard(lonely: Operator, tmp_path: Path) -> Iterator[Operator]:
    """An operator with a broker of their own that has the topics."""
    with embedded_broker(tmp_path) as brokers:
        asyncio.run(topics.declare(brokers))
        lonely.env["TOCSIN_KAFKA"] = brokers
        yield lonely


def write(operator: Operator, *records: Outgoing) -> None:
    async def publish() -> None:
        async with Producer(operator.env["TOCSIN_KAFKA"]) as producer:
            await producer.publish(records)

    asyncio.run(publish())


def read(operator: Operator, topic: str) -> list[Record]:
    """Everything on a topic."""

    async def consume() -> list[Record]:
        brokers = operator.env["TOCSIN_KAFKA"]
        async with AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest") as consumer:
            partitions = [TopicPartition(topic, one) for one in range(topics.PARTITIONS)]
            consumer.assign(partitions)
            left = sum((await consumer.end_offsets(partitions)).values())
            found: list[Record] = []
            while len(found) < left:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += [Record(topic, 0, one.offset, one.key, one.value, dict(one.headers)) for one in batch]
            return found

    return asyncio.run(consume())


def burial() -> Burial:
    found = policy_in_force(Settings())
    return Burial(topics.DEAD_LETTERS, topics.SIGNALS, found.policy, found.version)


def poison(offset: int, value: bytes = GOOD) -> tuple[Record, Outgoing]:
    """A webhook that triage could not handle, and its dead letter."""
    stamped = webhook_record(topics.WEBHOOKS, Stamp(uuid.uuid4(), "prod", utc_now()), f"group {offset}", value)
    record = Record(topics.WEBHOOKS, 3, offset, stamped.key, stamped.value, stamped.headers)
    return record, bury(record, "labels: not a mapping", utc_now(), burial())[0]


def refused(body: bytes, reason: str) -> Outgoing:
    return refuse(topics.WEBHOOKS, "staging", body, reason, utc_now(), uuid.uuid4(), burial())[0]


def test_a_replayed_letter_is_its_record_again_and_no_longer_listed(graveyard: Operator) -> None:
    assert graveyard.gets("dead-letters") == "No dead letters.\n"
    record, letter = poison(41)
    other, other_letter = poison(42)
    write(graveyard, letter, other_letter, letter)  # the last is the same record, redelivered and buried once more

    listed = graveyard.reads("dead-letters", "list")
    assert [one["reason"] for one in listed] == ["labels: not a mapping"] * 2
    first = letter.headers["dead_letter_id"].decode()
    assert "labels: not a mapping" in graveyard.gets("dead-letters")

    assert graveyard.gets("dead-letters", "replay", first[:8]) == f"Replayed {first} to alertmanager.webhooks.\n"
    [written] = read(graveyard, topics.WEBHOOKS)
    assert (written.key, written.value, written.headers) == (record.key, record.value, record.headers)
    assert [one["id"] for one in graveyard.reads("dead-letters", "list")] != [first]
    assert [one["replayed"] for one in graveyard.reads("dead-letters", "list", "--all")] == [True, False]

    assert graveyard.gets("dead-letters", "replay", "--all").count("Replayed") == 1
    assert graveyard.gets("dead-letters", "replay", "--all") == "No dead letters to replay.\n"
    assert {one.key for one in read(graveyard, topics.WEBHOOKS)} == {record.key, other.key}


def test_a_refused_body_is_replayed_only_if_it_can_be_read_now(graveyard: Operator) -> None:
    cut_off = refused(GOOD[:100], "the body is larger than 10 MiB")
    readable_now = refused(GOOD, "alerts: not a list")
    write(graveyard, cut_off, readable_now)

    result = graveyard.types("dead-letters", "replay", "--all")
    assert result.exit_code == 1
    assert result.stdout.count("Replayed") == 1
    assert f"{cut_off.headers['dead_letter_id'].decode()} cannot be replayed" in result.stderr
    [written] = read(graveyard, topics.WEBHOOKS)
    assert written.value == GOOD
    assert written.key == f"staging/{webhook()['groupKey']}".encode()  # as the receiver would have keyed it
    assert written.headers["webhook_id"] == readable_now.headers["dead_letter_id"]

    [left] = graveyard.reads("dead-letters", "list")
    assert left["refused"]
    assert left["reason"] == "the body is larger than 10 MiB"


def test_a_letter_that_does_not_say_where_it_came_from_stays(graveyard: Operator) -> None:
    write(graveyard, Outgoing(topics.DEAD_LETTERS, b"k", b"\xff", {"dead_topic": b"dead.letters", "dead_at": b"\xff"}))
    [found] = graveyard.reads("dead-letters", "list")
    assert found["reason"] == "no reason was given"
    assert "which topic it came from" in graveyard.fails(1, "dead-letters", "replay", found["id"])
    assert "no dead letter" in graveyard.fails(5, "dead-letters", "replay", "00000000")
    assert "no dead letter" in graveyard.fails(5, "dead-letters", "replay", "")


def test_a_broker_that_is_away_or_has_no_topics(lonely: Operator, tmp_path: Path) -> None:
    assert "set TOCSIN_KAFKA" in lonely.fails(3, "dead-letters")
    lonely.env["TOCSIN_KAFKA"] = "127.0.0.1:1"
    assert "the broker at 127.0.0.1:1 does not answer" in lonely.fails(3, "dead-letters")
    with embedded_broker(tmp_path) as brokers:
        lonely.env["TOCSIN_KAFKA"] = brokers
        assert "run `tocsin migrate`" in lonely.fails(1, "dead-letters")
