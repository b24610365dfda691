"""A single-node Kafka-protocol broker: asyncio in front, SQLite behind. For one machine, and no more.

    server                  the whole, from start to stop; settings: its limits, its clock, its error

    the protocol
    connection, protocol    one client's socket; the wire format and the table of APIs
    produce, fetch          the two APIs that every record passes, decoded by hand
    topics_api, groups_api  all others

    the log
    log, partition          appending and reading back; what is assigned, what is visible, the newest batches in memory
    batch                   a record batch, and what is remembered of the idempotent producer that wrote it
    retention               what may go, and when
    storage, datadir        SQLite with one writer thread and group commit; the files, their lock and their tables

    the groups
    groups, membership      the coordinator; groups and members as data, who may join and stay
    offsets                 what has been consumed

A record is acknowledged and visible only once it is on disk.
"""

from streams.embedded.broker.server import Broker, running, serve_broker
from streams.embedded.broker.settings import BrokerError, BrokerSettings

__all__ = ["Broker", "BrokerError", "BrokerSettings", "running", "serve_broker"]
