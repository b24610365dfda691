"""Members that are slow, gone or late, seen from the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from streams.embedded.broker import Broker, running
from streams.embedded.broker.storage import StorageError, Transaction
from tests.embedded import wire
from tests.embedded.broker_contract import declare
from tests.streams.brokers import until

NONE, ILLEGAL_GENERATION, INCONSISTENT, UNKNOWN_MEMBER, INVALID_SESSION, REBALANCE = 0, 22, 23, 25, 26, 27


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with running(tmp_path, "127.0.0.1", 0) as broker:
        await declare(f"127.0.0.1:{broker.port}", "t")
        yield broker


class Member:
    """One client that does only what it is told to."""

    def __init__(self, connection: AIOKafkaConnection) -> None:
        self.connection = connection
        self.id, self.generation = "", -1

    async def join(self, *, session: int = 5000, rebalance: int = 5000, protocol: str = "range") -> Any:
        spoken = [(protocol, b"subscription")]
        request = JoinGroupRequest("g", session, rebalance, self.id, "", "consumer", spoken)
        joined: Any = await self.connection.send(request)
        self.id, self.generation = joined.member_id, joined.generation_id
        return joined

    async def sync(self, **assignment: bytes) -> Any:
        return await self.connection.send(SyncGroupRequest("g", self.generation, self.id, "", list(assignment.items())))

    async def heartbeat(self) -> int:
        answer: Any = await self.connection.send(HeartbeatRequest("g", self.generation, self.id))
        return int(answer.error_code)

    async def leave(self) -> int:
        answer: Any = await self.connection.send(LeaveGroupRequest("g", self.id))
        return int(answer.error_code)

    async def commit(self) -> int:
        request = OffsetCommitRequest("g", self.generation, self.id, -1, [("t", [(0, 1, "")])])
        answer: Any = await self.connection.send(request)
        [(_, [(_, error)])] = answer.topics
        return int(error)


async def test_who_does_not_join_again_in_time_is_left_behind_and_fenced(broker: Broker) -> None:
    address = f"127.0.0.1:{broker.port}"
    async with wire.connected(address) as one, wire.connected(address) as other:
        slow, eager = Member(one), Member(other)
        await slow.join(rebalance=300)
        await slow.sync(**{slow.id: b"all"})
        assert (await slow.heartbeat(), await slow.commit()) == (NONE, NONE)
        joining = asyncio.create_task(eager.join(rebalance=300))
        await until(lambda: len(broker.coordinator.groups["g"].members) == 2)
        # It is told to join again, may still commit what it has done, and does not come.
        assert (await slow.heartbeat(), await slow.commit()) == (REBALANCE, NONE)
        joined = await asyncio.wait_for(joining, 5)
        assert (joined.leader_id, joined.generation_id, len(joined.members)) == (eager.id, 2, 1)
        assert await eager.commit() == REBALANCE
        assert (await eager.sync(**{eager.id: b"all"})).member_assignment == b"all"
        assert (await slow.heartbeat(), await slow.commit(), await slow.leave()) == (UNKNOWN_MEMBER,) * 3
        eager.generation -= 1
        assert (await eager.heartbeat(), await eager.commit()) == (ILLEGAL_GENERATION,) * 2


async def test_a_client_lost_while_it_joins_leaves_no_ghost(broker: Broker) -> None:
    address = f"127.0.0.1:{broker.port}"
    async with wire.connected(address) as one:
        first = Member(one)
        await first.join()
        await first.sync(**{first.id: b"all"})
        async with wire.connected(address) as lost:
            joining = asyncio.ensure_future(Member(lost).join())
            await until(lambda: len(broker.coordinator.groups["g"].members) == 2)
        await asyncio.wait([joining])
        assert joining.exception() is not None
        await until(lambda: len(broker.coordinator.groups["g"].members) == 1)
        assert (await asyncio.wait_for(first.join(), 2)).error_code == NONE


async def test_a_leader_that_dies_before_it_has_assigned_is_replaced(broker: Broker) -> None:
    address = f"127.0.0.1:{broker.port}"
    async with wire.connected(address) as one, wire.connected(address) as other:
        leader, follower = Member(one), Member(other)
        await leader.join(session=600)
        joining = asyncio.create_task(follower.join(session=600))
        await until(lambda: len(broker.coordinator.groups["g"].members) == 2)
        await asyncio.gather(leader.join(session=600), joining)
        synced = await asyncio.wait_for(follower.sync(), 5)  # waits for the leader, whose session runs out
        assert synced.error_code == REBALANCE
        joined = await follower.join()
        assert (joined.leader_id, len(joined.members)) == (follower.id, 1)


async def test_who_cannot_be_a_member_is_told_why(broker: Broker) -> None:
    address = f"127.0.0.1:{broker.port}"
    async with wire.connected(address) as one, wire.connected(address) as other:
        member, stranger = Member(one), Member(other)
        await member.join(protocol="range")
        assert (await stranger.join(protocol="roundrobin")).error_code == INCONSISTENT
        assert (await stranger.join(session=1)).error_code == INVALID_SESSION
        stranger.id = "never-joined"
        assert (await stranger.join()).error_code == UNKNOWN_MEMBER


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_broker_that_cannot_write_stops_instead_of_answering(tmp_path: Path) -> None:
    """A fault of the program in the writer thread is no reason to go on without one."""

    def fault(_: Transaction) -> None:
        raise ZeroDivisionError

    async with running(tmp_path, "127.0.0.1", 0) as broker:
        with pytest.raises(StorageError):
            await broker.storage.submit(fault)
        await asyncio.wait_for(broker.failed.wait(), 5)
    async with running(tmp_path, "127.0.0.1", 0):
        pass  # the directory is free again, and the log sound
