"""A single-node Kafka-protocol broker: asyncio in front, SQLite behind. For one machine, and no more.

    protocol              the wire format and the table of APIs
    produce, fetch        the frequent APIs, decoded by hand
    topics_api, groups_api  all others
    connection, server    one client's socket; the whole, from start to stop
    batch, producers      a record batch; what is remembered of idempotent producers
    log, tail             topics and partitions, what is assigned and what is visible; the newest batches in memory
    offsets, retention    what has been consumed, and what may go
    groups, membership    the coordinator, and its data
    storage, datadir      SQLite with one writer thread and group commit; the files

A record is acknowledged and visible only once it is on disk.
"""

from streams.embedded.broker.server import Broker, running, serve_broker
from streams.embedded.broker.settings import BrokerError, BrokerSettings

__all__ = ["Broker", "BrokerError", "BrokerSettings", "running", "serve_broker"]
