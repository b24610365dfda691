"""Apache Kafka itself, by the client that Tocsin uses: what the embedded broker stands in for."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

TOPIC = "peers.kafka"


async def declare(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=2, replication_factor=1)])
    finally:
        await admin.close()


async def test_what_an_idempotent_producer_wrote_is_read_and_committed_by_a_group(kafka_bootstrap: str) -> None:
    await declare(kafka_bootstrap)
    written = [b"%d" % number for number in range(20)]
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True, acks="all") as producer:
        for value in written:
            await producer.send_and_wait(TOPIC, value, key=b"one key, one partition")

    group = {"bootstrap_servers": kafka_bootstrap, "group_id": "peers", "enable_auto_commit": False}
    async with AIOKafkaConsumer(TOPIC, auto_offset_reset="earliest", **group) as consumer:
        records = [await consumer.getone() for _ in written]
        assert [record.value for record in records] == written
        await consumer.commit()

    home = TopicPartition(TOPIC, records[0].partition)
    async with AIOKafkaConsumer(TOPIC, **group) as successor:
        assert await successor.committed(home) == len(written)
