"""The APIs about consumer groups: the fields of one request in, those of its response out.

Owns the shapes per version. Decides nothing about groups (`groups.py`) or what they have committed (`offsets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from streams.embedded.broker.groups import Coordinator
from streams.embedded.broker.log import Log
from streams.embedded.broker.membership import JoinRequest
from streams.embedded.broker.offsets import MAX_METADATA, Committed, CommittedOffsets
from streams.embedded.broker.protocol import (
    NODE,
    Answer,
    Api,
    ErrorCode,
    Fields,
    Request,
    throttled,
)
from streams.embedded.broker.storage import StorageError

_NO_OFFSET = Committed(-1, "")


class GroupsApi:
    def __init__(self, log: Log, coordinator: Coordinator, offsets: CommittedOffsets) -> None:
        self._log = log
        self._coordinator = coordinator
        self._offsets = offsets
        self.answers: Mapping[Api, Answer] = {
            Api.FIND_COORDINATOR: self.find,
            Api.JOIN_GROUP: self.join,
            Api.SYNC_GROUP: self.sync,
            Api.HEARTBEAT: self.heartbeat,
            Api.LEAVE_GROUP: self.leave,
            Api.OFFSET_COMMIT: self.commit,
            Api.OFFSET_FETCH: self.fetch_offsets,
            Api.LIST_GROUPS: self.list_groups,
            Api.DESCRIBE_GROUPS: self.describe,
            Api.DELETE_GROUPS: self.delete,
        }

    async def find(self, request: Request, fields: Fields) -> Fields:
        here = (NODE, *request.address)
        return (0, ErrorCode.NONE, None, *here) if request.version >= 1 else (ErrorCode.NONE, *here)

    async def join(self, request: Request, fields: Fields) -> Fields:
        group, session_ms, rebalance_ms, member_id, protocol_type, protocols = fields
        spoken = tuple((name or "", metadata or b"") for name, metadata in protocols or ())
        times = (session_ms / 1000, max(rebalance_ms, 0) / 1000)
        joined = await self._coordinator.join(
            JoinRequest(group or "", member_id or "", request.client_id, *times, protocol_type or "", spoken)
        )
        place = (joined.error, joined.generation, joined.protocol, joined.leader, joined.member_id, joined.members)
        return (*throttled(request, 2), *place)

    async def sync(self, request: Request, fields: Fields) -> Fields:
        group, generation, member_id, assignments = fields
        given = {member: assignment or b"" for member, assignment in assignments or ()}
        synced = await self._coordinator.sync(group, generation, member_id, given)
        return (*throttled(request, 1), *synced)

    async def heartbeat(self, request: Request, fields: Fields) -> Fields:
        return (*throttled(request, 1), self._coordinator.heartbeat(*fields))

    async def leave(self, request: Request, fields: Fields) -> Fields:
        return (*throttled(request, 1), self._coordinator.leave(*fields))

    async def commit(self, request: Request, fields: Fields) -> Fields:
        group, generation, member_id, _, topics = fields
        refused = self._coordinator.may_commit(group or "", generation, member_id)
        accepted: dict[int, Committed] = {}
        answers = []
        for topic, parts in topics or ():
            errors = []
            for number, offset, metadata in parts or ():
                partition = self._log.partition(topic, number)
                error = refused
                if error is ErrorCode.NONE and partition is None:
                    error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                if error is ErrorCode.NONE and len(metadata or "") > MAX_METADATA:
                    error = ErrorCode.OFFSET_METADATA_TOO_LARGE
                if error is ErrorCode.NONE and partition is not None:
                    accepted[partition.id] = Committed(offset, metadata or "")
                errors.append((number, error))
            answers.append((topic, errors))
        if accepted:
            try:
                await self._offsets.commit(group or "", accepted)
            except StorageError:
                answers = [(topic, [(n, _unwritten(error)) for n, error in parts]) for topic, parts in answers]
        return (*throttled(request, 3), answers)

    async def fetch_offsets(self, request: Request, fields: Fields) -> Fields:
        group, topics = fields
        committed = self._offsets.of(group)
        if topics is None:
            every = self._log.topics.values()
            held_by = [
                (topic.name, [part.number for part in topic.partitions if part.id in committed]) for topic in every
            ]
            topics = [(topic, numbers) for topic, numbers in held_by if numbers]
        answers = []
        for topic, numbers in topics:
            parts = []
            for number in numbers or ():
                partition = self._log.partition(topic, number)
                held = _NO_OFFSET if partition is None else committed.get(partition.id, _NO_OFFSET)
                parts.append((number, *held, ErrorCode.NONE))
            answers.append((topic, parts))
        error = (ErrorCode.NONE,) if request.version >= 2 else ()
        return (*throttled(request, 3), answers, *error)

    async def list_groups(self, request: Request, fields: Fields) -> Fields:
        live = {name: group.protocol_type for name, group in self._coordinator.groups.items()}
        names = live | {name: live.get(name, "consumer") for name in self._offsets.groups}
        return (*throttled(request, 1), ErrorCode.NONE, list(names.items()))

    async def describe(self, request: Request, fields: Fields) -> Fields:
        return (*throttled(request, 1), [self._describe(name or "") for name in fields[0] or ()])

    async def delete(self, request: Request, fields: Fields) -> Fields:
        return (0, [(name, await self._delete(name)) for name in fields[0] or ()])

    def _describe(self, name: str) -> Fields:
        group = self._coordinator.groups.get(name)
        if group is None:
            return (ErrorCode.NONE, name, "Empty" if self._offsets.of(name) else "Dead", "", "", [])
        members: list[Fields] = [
            (member.id, member.client_id, "", dict(member.protocols).get(group.protocol, b""), member.assignment)
            for member in group.members.values()
        ]
        return (ErrorCode.NONE, name, group.state.value, group.protocol_type, group.protocol, members)

    async def _delete(self, name: str) -> ErrorCode:
        if name in self._coordinator.groups:
            return ErrorCode.NON_EMPTY_GROUP
        if not self._offsets.of(name):
            return ErrorCode.GROUP_ID_NOT_FOUND
        try:
            await self._offsets.forget(name)
        except StorageError:
            return ErrorCode.KAFKA_STORAGE_ERROR
        return ErrorCode.NONE


def _unwritten(error: ErrorCode) -> ErrorCode:
    """What a commit is told when the disk refused: a client looks for the coordinator again, and retries."""
    return ErrorCode.COORDINATOR_NOT_AVAILABLE if error is ErrorCode.NONE else error
