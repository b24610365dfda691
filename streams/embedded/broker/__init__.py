"""A single-node Kafka-protocol broker: asyncio in front, one SQLite file behind. For one machine, and it says so.

    protocol  wire format and the table of APIs        storage   SQLite, one writer thread, group commit
    produce   }                                        log       topics and partitions; what is assigned, what is visible
    fetch     } the frequent APIs, decoded by hand     tail      the newest batches in memory
    topics_api, groups_api   all other APIs            producers idempotence
    connection  one client's socket                    groups    the coordinator (membership: its data)
    server    the whole, from start to stop            offsets, retention   what is consumed, what may go

A record is acknowledged and visible only once it is on disk.
"""

from streams.embedded.broker.server import Broker, running, serve_broker
from streams.embedded.broker.settings import BrokerError, BrokerSettings

__all__ = ["Broker", "BrokerError", "BrokerSettings", "running", "serve_broker"]
