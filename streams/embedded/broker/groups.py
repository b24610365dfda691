"""The group coordinator: who is a member of which consumer group, and in which generation.

One state machine per group, on the event loop, as in Kafka: EMPTY, PREPARING (waiting for every member to join again),
COMPLETING (waiting for the leader's assignment), STABLE. A stable group is kept on disk, so its members go on after a
restart of the broker without a rebalance; one that a crash cuts off is begun anew by its members. Never looks into what
members say to each other (subscriptions, assignments).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from uuid import uuid4

from streams.embedded.broker.membership import (
    Group,
    Joined,
    JoinRequest,
    Member,
    State,
    Synced,
    answer,
    may_keep_place,
    place,
    refusal,
    restore,
    snapshot,
)
from streams.embedded.broker.protocol import ErrorCode
from streams.embedded.broker.settings import BrokerSettings
from streams.embedded.broker.storage import Storage, StorageError, Transaction

logger = logging.getLogger(__name__)


class Coordinator:
    """All groups that have members. A group that everybody left is forgotten (its offsets are not)."""

    def __init__(self, storage: Storage, settings: BrokerSettings) -> None:
        self._storage = storage
        self._settings = settings
        self.groups: dict[str, Group] = {}
        for name, state in storage.db.execute("select name, state from consumer_group"):
            self.groups[name] = restore(name, state)

    def start(self) -> None:
        """Take up the groups as they were; a member that does not call soon is taken for dead."""
        grace = self._settings.returning_member_grace.total_seconds()
        for group in self.groups.values():
            for member in group.members.values():
                self._expect(group, member, min(grace, member.session))

    def close(self) -> None:
        """Stop the clocks. Nobody loses membership by this."""
        for group in self.groups.values():
            for timer in (group.timer, *(member.timer for member in group.members.values())):
                if timer is not None:
                    timer.cancel()

    async def join(self, request: JoinRequest) -> Joined:
        """Waits until every member has joined, or the rebalance time is over."""
        group = self.groups.get(request.group) or Group(request.group)
        refused = refusal(group, request, self._settings)
        if refused is not ErrorCode.NONE:
            return Joined(refused, request.member_id)
        known = group.members.get(request.member_id)
        if known is not None and may_keep_place(group, known, request):
            self._expect(group, known, known.session)
            return place(group, known)
        self.groups[request.group] = group
        member = known or Member(f"{request.client_id}-{uuid4()}", request.client_id)
        group.members[member.id] = member
        group.protocol_type = request.protocol_type
        member.session, member.rebalance, member.protocols = request.session, request.rebalance, request.protocols
        answer(member.joining, Joined(ErrorCode.REBALANCE_IN_PROGRESS, member.id))  # on a connection it gave up
        joining: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        member.joining = joining
        self._expect(group, member, member.session)
        self._rebalance(group)
        try:
            return await joining
        except asyncio.CancelledError:
            if known is None and member.joining is joining:
                self._remove(group, member)  # it never learnt its id, so nobody would ever speak for it
            raise

    async def sync(self, name: str, generation: int, member_id: str, assignments: Mapping[str, bytes]) -> Synced:
        """Waits until the leader has handed out the assignments."""
        group = self.groups.get(name)
        error = self._check(group, generation, member_id)
        if group is None or error is not ErrorCode.NONE:
            return Synced(error)
        member = group.members[member_id]
        if group.state is State.PREPARING:
            return Synced(ErrorCode.REBALANCE_IN_PROGRESS)
        if group.state is State.STABLE:
            return Synced(ErrorCode.NONE, member.assignment)
        syncing: asyncio.Future[Synced] = asyncio.get_running_loop().create_future()
        member.syncing = syncing
        if member_id == group.leader:
            for other in group.members.values():
                other.assignment = assignments.get(other.id, b"")
            stored = self._store("replace into consumer_group values (?, ?)", (name, snapshot(group)))
            stored.add_done_callback(lambda _: self._stabilise(group, generation))
        return await syncing

    def heartbeat(self, name: str, generation: int, member_id: str) -> ErrorCode:
        group = self.groups.get(name)
        error = self._check(group, generation, member_id)
        if error is ErrorCode.NONE and group is not None and group.state is State.PREPARING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return error

    def leave(self, name: str, member_id: str) -> ErrorCode:
        group = self.groups.get(name)
        if group is None or member_id not in group.members:
            return ErrorCode.UNKNOWN_MEMBER_ID
        self._remove(group, group.members[member_id])
        return ErrorCode.NONE

    def may_commit(self, name: str, generation: int, member_id: str) -> ErrorCode:
        """Whether an offset commit is from a member of the present generation, or of a group that has no members."""
        group = self.groups.get(name)
        if group is None and generation < 0:
            return ErrorCode.NONE
        error = self._check(group, generation, member_id)
        if error is ErrorCode.NONE and group is not None and group.state is State.COMPLETING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return error

    def _check(self, group: Group | None, generation: int, member_id: str) -> ErrorCode:
        """NONE for a member of the present generation, who is thereby known to be alive."""
        member = group.members.get(member_id) if group is not None else None
        if group is None or member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if generation != group.generation:
            return ErrorCode.ILLEGAL_GENERATION
        self._expect(group, member, member.session)
        return ErrorCode.NONE

    def _rebalance(self, group: Group) -> None:
        """Ask every member to join again; the time for it runs from the first cause."""
        if group.state is not State.PREPARING:
            group.state = State.PREPARING
            for member in group.members.values():
                if member.waits:
                    self._expect(group, member, member.session)  # its silence counts from now on
                answer(member.syncing, Synced(ErrorCode.REBALANCE_IN_PROGRESS))
            within = max(member.rebalance for member in group.members.values())
            group.timer = asyncio.get_running_loop().call_later(within, self._complete, group)
        if all(member.has_joined for member in group.members.values()):
            self._complete(group)

    def _complete(self, group: Group) -> None:
        """Begin the new generation with those who have joined."""
        if group.timer is not None:
            group.timer.cancel()
        for late in [member for member in group.members.values() if not member.has_joined]:
            self._drop(group, late)
        if not group.members:
            self._forget(group)
            return
        group.state = State.COMPLETING
        group.generation += 1
        group.protocol = group.choose_protocol()
        if group.leader not in group.members:
            group.leader = next(iter(group.members))
        for member in group.members.values():
            self._expect(group, member, member.session)
            answer(member.joining, place(group, member))

    def _stabilise(self, group: Group, generation: int) -> None:
        if group.state is not State.COMPLETING or group.generation != generation:
            return  # somebody came or went meanwhile
        group.state = State.STABLE
        for member in group.members.values():
            self._expect(group, member, member.session)
            answer(member.syncing, Synced(ErrorCode.NONE, member.assignment))

    def _remove(self, group: Group, member: Member) -> None:
        """A member is gone; the rest shares its partitions."""
        self._drop(group, member)
        if group.members:
            self._rebalance(group)
        else:
            self._forget(group)

    def _drop(self, group: Group, member: Member) -> None:
        group.members.pop(member.id, None)
        if member.timer is not None:
            member.timer.cancel()
        answer(member.joining, Joined(ErrorCode.UNKNOWN_MEMBER_ID, member.id))
        answer(member.syncing, Synced(ErrorCode.UNKNOWN_MEMBER_ID))

    def _expect(self, group: Group, member: Member, within: float) -> None:
        """Hear from `member` within so many seconds, or take it for dead. The timer is only moved when it rings."""
        loop = asyncio.get_running_loop()
        member.deadline = loop.time() + within
        if member.timer is None or member.timer.when() > member.deadline:
            if member.timer is not None:
                member.timer.cancel()
            member.timer = loop.call_at(member.deadline, self._ring, group, member)

    def _ring(self, group: Group, member: Member) -> None:
        member.timer = None
        left = member.deadline - asyncio.get_running_loop().time()
        if member.waits or left > 0:
            self._expect(group, member, member.session if member.waits else left)
            return
        logger.info("broker: %s has not been heard of and leaves group %s", member.client_id, group.name)
        self._remove(group, member)

    def _forget(self, group: Group) -> None:
        if group.timer is not None:
            group.timer.cancel()
        group.state = State.EMPTY
        if self.groups.get(group.name) is group:
            del self.groups[group.name]
        self._store("delete from consumer_group where name = ?", (group.name,))

    def _store(self, sql: str, row: tuple[str, ...]) -> asyncio.Future[None]:
        """Membership is a convenience on disk, no truth: where it cannot be written, the group goes on without."""

        def work(transaction: Transaction) -> None:
            transaction.db.execute(sql, row)

        stored = self._storage.submit(work)
        stored.add_done_callback(_log_refusal)
        return stored


def _log_refusal(stored: asyncio.Future[None]) -> None:
    if not stored.cancelled() and isinstance(error := stored.exception(), StorageError):
        logger.warning("broker: a group's members could not be written down: %s", error)
