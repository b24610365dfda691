"""The Kafka wire format: frames, request headers, error codes, and which versions of which API are spoken.

Owns the table of APIs. Never touches the log or a socket. The frequent requests (Produce, Fetch) are decoded by hand in
`produce.py` and `fetch.py`; all others use the schemas of `aiokafka.protocol`.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from enum import IntEnum
from io import BytesIO
from types import ModuleType
from typing import Any, NamedTuple

from aiokafka.protocol import admin, commit, coordination, group, metadata, offset, transaction
from aiokafka.protocol.api import RequestStruct


class Api(IntEnum):
    """The APIs spoken here, by their Kafka keys."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    INIT_PRODUCER_ID = 22
    DELETE_GROUPS = 42


VERSIONS: dict[Api, tuple[int, int]] = {
    Api.PRODUCE: (3, 8),
    Api.FETCH: (4, 11),
    Api.LIST_OFFSETS: (1, 3),
    Api.METADATA: (0, 5),
    Api.OFFSET_COMMIT: (2, 3),
    Api.OFFSET_FETCH: (1, 3),
    Api.FIND_COORDINATOR: (0, 1),
    Api.JOIN_GROUP: (1, 2),
    Api.HEARTBEAT: (0, 1),
    Api.LEAVE_GROUP: (0, 1),
    Api.SYNC_GROUP: (0, 1),
    Api.DESCRIBE_GROUPS: (0, 1),
    Api.LIST_GROUPS: (0, 1),
    Api.API_VERSIONS: (0, 2),
    Api.CREATE_TOPICS: (0, 3),
    Api.DELETE_TOPICS: (0, 3),
    Api.INIT_PRODUCER_ID: (0, 0),
    Api.DELETE_GROUPS: (0, 1),
}
"""Lowest and highest version of each API; a client picks within them (ApiVersions)."""


class ErrorCode(IntEnum):
    """Kafka's error codes, those that this broker answers with."""

    NONE = 0
    OFFSET_OUT_OF_RANGE = 1
    CORRUPT_MESSAGE = 2
    UNKNOWN_TOPIC_OR_PARTITION = 3
    NOT_LEADER_OR_FOLLOWER = 6
    MESSAGE_TOO_LARGE = 10
    OFFSET_METADATA_TOO_LARGE = 12
    COORDINATOR_NOT_AVAILABLE = 15
    INVALID_TOPIC = 17
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    INVALID_GROUP_ID = 24
    UNKNOWN_MEMBER_ID = 25
    INVALID_SESSION_TIMEOUT = 26
    REBALANCE_IN_PROGRESS = 27
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
    POLICY_VIOLATION = 44
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45
    INVALID_PRODUCER_EPOCH = 47
    INVALID_TXN_STATE = 48
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
    KAFKA_STORAGE_ERROR = 56
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    INVALID_RECORD = 87


class ProtocolViolation(ValueError):
    """These bytes are no request that this broker speaks; the connection is closed with this one line."""


Address = tuple[str, int]
Fields = tuple[Any, ...]
"""A request or a response without its header, in the order of its schema."""

NODE = 1
"""The id of the only broker."""


class Request(NamedTuple):
    """One request: its header, where in `frame` its body begins, and the address that its client reached us at."""

    api: Api
    version: int
    correlation_id: int
    client_id: str
    frame: bytes
    body_at: int
    address: Address


Answer = Callable[[Request, Fields], Awaitable[Fields]]
"""From the fields of a request to those of its response."""

MALFORMED = (ValueError, struct.error, IndexError)
"""What decoding raises over bytes that are no Kafka."""

_HEADER = struct.Struct(">hhih")
_LENGTH_AND_CORRELATION = struct.Struct(">ii")
_I16 = struct.Struct(">h")
_API_OF = {int(api): api for api in Api}


def decode_header(frame: bytes, address: Address) -> Request:
    """Raises ProtocolViolation for an unknown API, and for an unknown version of any but ApiVersions (KIP-511)."""
    if len(frame) < _HEADER.size:
        raise ProtocolViolation(f"a frame of {len(frame)} bytes is too short for a request header")
    key, version, correlation_id, client_length = _HEADER.unpack_from(frame)
    api = _API_OF.get(key)
    if api is None:
        raise ProtocolViolation(f"API {key} is not spoken here")
    body_at = _HEADER.size + max(client_length, 0)
    if body_at > len(frame):
        raise ProtocolViolation("the client id is longer than its frame")
    low, high = VERSIONS[api]
    if not low <= version <= high and api is not Api.API_VERSIONS:
        raise ProtocolViolation(f"{api.name} version {version} is not spoken here (versions {low} to {high} are)")
    client_id = frame[_HEADER.size : body_at].decode("utf-8", "replace")
    return Request(api, version, correlation_id, client_id, frame, body_at, address)


def encode_response(correlation_id: int, body: bytes) -> bytes:
    """One response frame."""
    return _LENGTH_AND_CORRELATION.pack(len(body) + 4, correlation_id) + body


def read_string(frame: bytes, at: int) -> tuple[str, int]:
    """A string and the position after it; a null string reads as an empty one. Raises ValueError or struct.error."""
    (length,) = _I16.unpack_from(frame, at)
    start = at + 2
    end = start + max(length, 0)
    if end > len(frame):
        raise ValueError("a string is longer than its frame")
    return frame[start:end].decode(), end


def write_string(value: str) -> bytes:
    """A non-null string."""
    encoded = value.encode()
    return _I16.pack(len(encoded)) + encoded


def decode_body(request: Request) -> Fields:
    """Raises one of MALFORMED."""
    schema = _SCHEMAS[request.api, request.version].SCHEMA
    return tuple(schema.decode(BytesIO(request.frame[request.body_at :])))


def encode_body(request: Request, fields: Fields) -> bytes:
    """The body of the response to `request`."""
    return bytes(_SCHEMAS[request.api, request.version].RESPONSE_TYPE.SCHEMA.encode(fields))


def throttled(request: Request, since: int) -> Fields:
    """The throttle time (never any) that leads a response from version `since` on."""
    return (0,) if request.version >= since else ()


def api_versions_body(version: int) -> bytes:
    """The answer to ApiVersions; a version from the future is answered in the oldest form (KIP-511)."""
    low, high = VERSIONS[Api.API_VERSIONS]
    known = low <= version <= high
    table = [(int(api), first, last) for api, (first, last) in VERSIONS.items()]
    error = ErrorCode.NONE if known else ErrorCode.UNSUPPORTED_VERSION
    if known and version > 0:
        return bytes(admin.ApiVersionResponse_v1.SCHEMA.encode((error, table, 0)))
    return bytes(admin.ApiVersionResponse_v0.SCHEMA.encode((error, table)))


def _schemas(*modules: ModuleType) -> dict[tuple[int, int], Any]:
    """aiokafka's request classes by key and version."""
    found: dict[tuple[int, int], Any] = {}
    for module in modules:
        classes: list[Any] = [item for item in vars(module).values() if isinstance(item, type)]
        for item in classes:
            if issubclass(item, RequestStruct) and item is not RequestStruct:
                found.setdefault((item.API_KEY, item.API_VERSION), item)
    return found


_SCHEMAS = _schemas(admin, commit, coordination, group, metadata, offset, transaction)
