"""Bytes that are no Kafka: they cost their sender the connection and nobody else anything."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from aiokafka.protocol.produce import ProduceRequest_v8
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.embedded.broker import Broker, BrokerSettings, running
from streams.embedded.broker.protocol import MALFORMED, VERSIONS, ProtocolViolation, decode_header
from tests.embedded import wire
from tests.embedded.broker_contract import declare, producing
from tests.streams.brokers import until


class Answers(Protocol):
    """Gives one frame to the broker; its answer, None if refused."""

    def __call__(self, payload: bytes, *, waits: bool = True) -> bytes | None: ...


HERE = ("127.0.0.1", 9092)


async def test_garbage_closes_one_connection_and_says_so_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        address = f"127.0.0.1:{broker.port}"
        await declare(address, "t")
        async with producing(address) as neighbour:
            await neighbour.send_and_wait("t", b"before")
            for garbage, said in (
                (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "frame of 1195725856 bytes"),
                (struct.pack(">i", -5), "frame of -5 bytes"),
                (struct.pack(">i", 2**31 - 1), "frame of 2147483647 bytes"),
                (struct.pack(">i", 3) + b"abc", "too short"),
                (wire.frame(api=999, version=0), "API 999"),
                (wire.frame(api=1, version=77), "FETCH version 77"),
                (wire.frame(api=0, version=8, body=b"\xff"), "cannot be read"),
                (wire.frame(api=1, version=11, body=b"\x00" * 25 + b"\x7f\xff\xff\xff"), "cannot be read"),
                (wire.frame(api=3, version=5, body=b"\x00\x00\x00\x01\x00\x02\xff\xfe\x01"), "cannot be read"),
            ):
                caplog.clear()
                assert await wire.exchange(address, garbage) == b""
                [line] = [record for record in caplog.records if record.name.startswith("streams.")]
                assert said in line.message
                assert (line.levelno, line.exc_info) == (logging.WARNING, None)
            await neighbour.send_and_wait("t", b"after")


async def test_a_client_that_goes_silent_is_let_go(tmp_path: Path) -> None:
    patience = BrokerSettings(connection_idle=timedelta(milliseconds=100))
    async with running(tmp_path, "127.0.0.1", 0, patience) as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(wire.frame(api=18, version=0)[:7])  # a frame that never ends
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_frames_in_pieces_and_in_bulk_are_answered_in_order(tmp_path: Path) -> None:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        for byte in wire.frame(api=18, version=0, correlation_id=0):
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(b"".join(wire.frame(api=18, version=2, correlation_id=number) for number in range(1, 100)))
        for number in range(100):
            (size,) = struct.unpack(">i", await asyncio.wait_for(reader.readexactly(4), 5))
            assert struct.unpack_from(">i", await reader.readexactly(size)) == (number,)
        writer.close()
        await until(lambda: not broker.connections)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """A function that gives one frame to a broker that lives through all examples, and its answer (None if refused)."""
    with asyncio.Runner() as runner:
        scope = running(tmp_path_factory.mktemp("fuzz"), "127.0.0.1", 0, BrokerSettings(auto_create_topics=True))
        broker = runner.run(scope.__aenter__())

        def answer(payload: bytes, *, waits: bool = True) -> bytes | None:
            return runner.run(_answer(broker, payload, waits=waits))

        yield answer
        assert runner.run(_answer(broker, wire.frame(api=18, version=0)[4:])) is not None
        runner.run(scope.__aexit__(None, None, None))


async def _answer(broker: Broker, payload: bytes, *, waits: bool = True) -> bytes | None:
    """Anything but an answer, a refusal, or a wait (where the client may have asked for one) fails the test."""
    try:
        async with asyncio.timeout(0.02 if waits else 10):
            return await broker.respond(payload, HERE)
    except (ProtocolViolation, *MALFORMED, TimeoutError):
        return None


_SMALL = st.integers(-3, 3).map(lambda number: struct.pack(">i", number))
_PIECES = st.one_of(
    st.binary(max_size=12),
    _SMALL,
    st.sampled_from([b"\x00\x01t", b"\x00\x00", b"\xff\xff", b"\x00", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00"]),
    st.binary(max_size=8).map(lambda data: struct.pack(">h", len(data)) + data),
)
_SPOKEN = st.sampled_from([(api, version) for api, (low, high) in VERSIONS.items() for version in range(low, high + 1)])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoken=_SPOKEN, body=st.lists(_PIECES, max_size=16).map(b"".join))
def test_no_body_of_any_api_breaks_the_broker(answers: Answers, spoken: tuple[int, int], body: bytes) -> None:
    answers(wire.frame(*spoken, body=body)[4:])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_no_header_breaks_the_broker(payload: bytes) -> None:
    try:
        request = decode_header(payload, HERE)
    except ProtocolViolation:
        return
    assert request.body_at <= len(payload)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 200), to=st.integers(0, 255), cut=st.integers(0, 20))
def test_a_batch_with_any_byte_changed_is_never_stored_as_sound(answers: Answers, at: int, to: int, cut: int) -> None:
    """Offset and leader epoch are the broker's to set; everything else is covered by length, magic or checksum."""
    answers(wire.frame(api=3, version=1, body=b"\x00\x00\x00\x01\x00\x01f")[4:], waits=False)
    sound = wire.batch(b"x" * 60, b"y" * 60)
    at %= len(sound)
    changed = (sound[:at] + bytes([to]) + sound[at + 1 :])[: len(sound) - cut]
    request = ProduceRequest_v8(None, -1, 1000, [("f", [(0, changed)])])
    answer = answers(wire.frame(0, 8, request.encode())[4:], waits=False)
    assert answer is not None
    (error,) = struct.unpack_from(">h", answer, 8 + 4 + 3 + 4 + 4)
    assert (error == 0) == (changed[8:12] + changed[16:] == sound[8:12] + sound[16:])
