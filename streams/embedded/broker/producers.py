"""What the log remembers of idempotent producers: the last five batches of each, per partition.

Pure: `check` says what a batch is, `follow` is the memory after it. Stored beside the batches, and so as durable.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from streams.embedded.broker.batch import Batch
from streams.embedded.broker.protocol import ErrorCode

REMEMBERED = 5  # as Kafka: no client has more than five requests in flight
_SEQUENCES = 2**31  # after the largest sequence comes 0
_ENTRY = struct.Struct(">iiq")


class Written(NamedTuple):
    """A batch in the log, by its sequences."""

    first_sequence: int
    last_sequence: int
    base_offset: int


class Producer(NamedTuple):
    """One producer on one partition; newest batch last."""

    epoch: int
    batches: tuple[Written, ...]


def check(known: Producer | None, batch: Batch) -> Written | ErrorCode:
    """NONE: append it. A Written: it is already there. Anything else: refuse it.

    A producer never seen (or forgotten) may begin anywhere, as in Kafka since KIP-360.
    """
    if known is None:
        return ErrorCode.NONE
    if batch.producer_epoch < known.epoch:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if batch.producer_epoch > known.epoch:
        return ErrorCode.NONE if batch.first_sequence == 0 else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    last_sequence = _last_sequence(batch)
    for written in known.batches:
        if written.first_sequence == batch.first_sequence and written.last_sequence == last_sequence:
            return written
    expected = (known.batches[-1].last_sequence + 1) % _SEQUENCES
    return ErrorCode.NONE if batch.first_sequence == expected else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def follow(known: Producer | None, batch: Batch, base_offset: int) -> Producer:
    """The memory once `batch` is in the log at `base_offset`."""
    before = known.batches if known is not None and known.epoch == batch.producer_epoch else ()
    written = Written(batch.first_sequence, _last_sequence(batch), base_offset)
    return Producer(batch.producer_epoch, (*before[1 - REMEMBERED :], written))


def pack(producer: Producer) -> bytes:
    """The batches as bytes; the epoch is a column of its own."""
    return b"".join(_ENTRY.pack(*written) for written in producer.batches)


def unpack(epoch: int, batches: bytes) -> Producer:
    """The reverse of `pack`."""
    return Producer(epoch, tuple(Written(*entry) for entry in _ENTRY.iter_unpack(batches)))


def _last_sequence(batch: Batch) -> int:
    return (batch.first_sequence + batch.records - 1) % _SEQUENCES
