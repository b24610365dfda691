"""The APIs about topics and producers: the fields of one request in, those of its response out.

Owns the shapes per version. Decides nothing about what is stored (`log.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from streams.embedded.broker.log import Log
from streams.embedded.broker.protocol import NODE, Answer, Api, ErrorCode, Fields, Request, throttled
from streams.embedded.broker.settings import BrokerSettings, limits_of
from streams.embedded.broker.storage import StorageError

_CLUSTER = "tocsin"
_NAME = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")
_EARLIEST, _LATEST = -2, -1


class TopicsApi:
    def __init__(self, log: Log, settings: BrokerSettings) -> None:
        self._log = log
        self._settings = settings
        self.answers: Mapping[Api, Answer] = {
            Api.METADATA: self.metadata,
            Api.CREATE_TOPICS: self.create,
            Api.DELETE_TOPICS: self.delete,
            Api.LIST_OFFSETS: self.list_offsets,
            Api.INIT_PRODUCER_ID: self.init_producer_id,
        }

    async def metadata(self, request: Request, fields: Fields) -> Fields:
        """The address that the client reached us at is one that it can reach us at."""
        version, names = request.version, fields[0]
        may_create = fields[1] if version >= 4 else True
        if names is None or (version == 0 and not names):
            names = list(self._log.topics)
        topics = [await self._describe(version, name or "", may_create=may_create) for name in names]
        broker = (NODE, *request.address) if version == 0 else (NODE, *request.address, None)
        cluster = (_CLUSTER,) if version >= 2 else ()
        controller = (NODE,) if version >= 1 else ()
        return (*throttled(request, 3), [broker], *cluster, *controller, topics)

    async def create(self, request: Request, fields: Fields) -> Fields:
        validate_only = request.version >= 1 and fields[2]
        answers = []
        for name, partitions, replicas, assignment, config in fields[0] or ():
            error, message = await self._create(
                name or "",
                len(assignment or ()) or partitions,
                replicas,
                dict(config or ()),
                validate_only=validate_only,
            )
            answers.append((name, error) if request.version == 0 else (name, error, message))
        return (*throttled(request, 2), answers)

    async def delete(self, request: Request, fields: Fields) -> Fields:
        answers = []
        for name in fields[0] or ():
            topic = self._log.topics.get(name)
            error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if topic is not None:
                try:
                    await self._log.delete_topic(topic)
                    error = ErrorCode.NONE
                except StorageError:
                    error = ErrorCode.KAFKA_STORAGE_ERROR
            answers.append((name, error))
        return (*throttled(request, 1), answers)

    async def list_offsets(self, request: Request, fields: Fields) -> Fields:
        topics = []
        for topic, parts in fields[-1] or ():
            answers = [(number, *await self._offset(topic, number, timestamp)) for number, timestamp in parts or ()]
            topics.append((topic, answers))
        return (*throttled(request, 2), topics)

    async def init_producer_id(self, request: Request, fields: Fields) -> Fields:
        if fields[0] is not None:
            return (0, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1)  # there are no transactions here
        try:
            return (0, ErrorCode.NONE, await self._log.new_producer_id(), 0)
        except StorageError:
            return (0, ErrorCode.COORDINATOR_NOT_AVAILABLE, -1, -1)

    async def _offset(self, topic: str, number: int, timestamp: int) -> tuple[ErrorCode, int, int]:
        partition = self._log.partition(topic, number)
        if partition is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1
        if timestamp == _LATEST:
            return ErrorCode.NONE, -1, partition.tail.end
        if timestamp == _EARLIEST:
            return ErrorCode.NONE, -1, partition.start_offset
        offset, found = await self._log.offset_at(partition, timestamp)
        return ErrorCode.NONE, found, offset

    async def _describe(self, version: int, name: str, *, may_create: bool) -> Fields:
        error = ErrorCode.NONE if name in self._log.topics else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if error is not ErrorCode.NONE and may_create and self._settings.auto_create_topics:
            error, _ = await self._create(name, -1, 1, {}, validate_only=False)
        topic = self._log.topics.get(name)
        offline: Fields = ([],) if version >= 5 else ()
        numbers = range(len(topic.partitions)) if topic is not None else ()
        partitions = [(ErrorCode.NONE, number, NODE, [NODE], [NODE], *offline) for number in numbers]
        internal = (False,) if version >= 1 else ()
        return (ErrorCode.NONE if topic is not None else error, name, *internal, partitions)

    async def _create(
        self, name: str, partitions: int, replicas: int, config: Mapping[str, str], *, validate_only: bool
    ) -> tuple[ErrorCode, str | None]:
        count = self._settings.default_partitions if partitions == -1 else partitions
        room = self._settings.max_partitions - sum(len(topic.partitions) for topic in self._log.topics.values())
        if not _NAME.fullmatch(name):
            return ErrorCode.INVALID_TOPIC, "a topic name is 1 to 249 of the characters a-z A-Z 0-9 . _ -"
        if name in self._log.topics:
            return ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name} exists already"
        if not 0 < count <= room:
            return ErrorCode.INVALID_PARTITIONS, f"between 1 and {room} partitions can be had"
        if replicas not in (-1, 0, 1):
            return ErrorCode.INVALID_REPLICATION_FACTOR, "the embedded broker is alone: the replication factor is 1"
        try:
            limits_of(config, self._settings)
        except (TypeError, ValueError):
            return ErrorCode.INVALID_CONFIG, "retention.ms, retention.bytes and max.message.bytes are whole numbers"
        if not validate_only:
            try:
                await self._log.create_topic(name, count, config)
            except StorageError as error:
                return ErrorCode.KAFKA_STORAGE_ERROR, str(error)
        return ErrorCode.NONE, None
