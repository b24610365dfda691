"""Groups and members as data: who may join and stay, what each is told, how a group is kept on disk.

Pure. Owns no transition; those are in `groups.py`.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeVar

from streams.embedded.broker.protocol import ErrorCode
from streams.embedded.broker.settings import BrokerSettings

T = TypeVar("T")
Protocols = tuple[tuple[str, bytes], ...]


class State(Enum):
    """Kafka's names, as DescribeGroups shows them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class JoinRequest(NamedTuple):
    """What a member asks for. Times are in seconds."""

    group: str
    member_id: str
    client_id: str
    session: float
    rebalance: float
    protocol_type: str
    protocols: Protocols


class Joined(NamedTuple):
    """A member's place in the new generation; only the leader learns of the others (`members`: their metadata)."""

    error: ErrorCode
    member_id: str
    generation: int = -1
    protocol: str = ""
    leader: str = ""
    members: Protocols = ()


class Synced(NamedTuple):
    """A member's assignment."""

    error: ErrorCode
    assignment: bytes = b""


@dataclass(slots=True, eq=False)
class Member:
    """One client of a group. Times are in seconds; `deadline` is on the loop's clock."""

    id: str
    client_id: str
    session: float = 0.0
    rebalance: float = 0.0
    protocols: Protocols = ()
    assignment: bytes = b""
    deadline: float = 0.0
    timer: asyncio.TimerHandle | None = None
    joining: asyncio.Future[Joined] | None = None
    syncing: asyncio.Future[Synced] | None = None

    @property
    def has_joined(self) -> bool:
        """It waits for the new generation."""
        return self.joining is not None and not self.joining.done()

    @property
    def waits(self) -> bool:
        """It waits for us, so its silence means nothing."""
        return self.has_joined or (self.syncing is not None and not self.syncing.done())


@dataclass(slots=True, eq=False)
class Group:
    """One consumer group."""

    name: str
    state: State = State.EMPTY
    generation: int = 0
    protocol_type: str = ""
    protocol: str = ""
    leader: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    def common_protocols(self) -> set[str]:
        """What every member speaks; empty without members."""
        spoken = [{name for name, _ in member.protocols} for member in self.members.values()]
        return set.intersection(*spoken) if spoken else set()

    def choose_protocol(self) -> str:
        """Every member votes for the first common one on its list."""
        common = self.common_protocols()
        votes = Counter(next(name for name, _ in m.protocols if name in common) for m in self.members.values())
        return votes.most_common(1)[0][0]


def refusal(group: Group, request: JoinRequest, settings: BrokerSettings) -> ErrorCode:
    """Why the request cannot be taken, or NONE."""
    if not request.group:
        return ErrorCode.INVALID_GROUP_ID
    if not settings.min_session.total_seconds() <= request.session <= settings.max_session.total_seconds():
        return ErrorCode.INVALID_SESSION_TIMEOUT
    if request.member_id and request.member_id not in group.members:
        return ErrorCode.UNKNOWN_MEMBER_ID
    spoken = {name for name, _ in request.protocols}
    others = [member for member in group.members.values() if member.id != request.member_id]
    for other in others:
        spoken &= {name for name, _ in other.protocols}
    if not spoken or (others and request.protocol_type != group.protocol_type):
        return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    return ErrorCode.NONE


def may_keep_place(group: Group, member: Member, request: JoinRequest) -> bool:
    """A follower that says nothing new (its answer was lost, say) disturbs nobody; nor does anyone in COMPLETING."""
    if member.protocols != request.protocols:
        return False
    return group.state is State.COMPLETING or (group.state is State.STABLE and member.id != group.leader)


def place(group: Group, member: Member) -> Joined:
    """What `member` is told of the generation that it is in."""
    others: Protocols = ()
    if member.id == group.leader:
        others = tuple((other.id, dict(other.protocols)[group.protocol]) for other in group.members.values())
    return Joined(ErrorCode.NONE, member.id, group.generation, group.protocol, group.leader, others)


def answer(future: asyncio.Future[T] | None, result: T) -> None:
    """Release whoever waits, if somebody still does."""
    if future is not None and not future.done():
        future.set_result(result)


def snapshot(group: Group) -> str:
    """A stable group as JSON."""
    members = [
        {
            "id": member.id,
            "client_id": member.client_id,
            "session": member.session,
            "rebalance": member.rebalance,
            "protocols": [(name, b64encode(metadata).decode()) for name, metadata in member.protocols],
            "assignment": b64encode(member.assignment).decode(),
        }
        for member in group.members.values()
    ]
    head = {"generation": group.generation, "protocol_type": group.protocol_type, "protocol": group.protocol}
    return json.dumps({**head, "leader": group.leader, "members": members})


def restore(name: str, state: str) -> Group:
    """The reverse of `snapshot`."""
    kept = json.loads(state)
    members = kept.pop("members")
    group = Group(name, State.STABLE, **kept)
    for member in members:
        protocols = tuple((protocol, b64decode(metadata)) for protocol, metadata in member.pop("protocols"))
        assignment = b64decode(member.pop("assignment"))
        group.members[member["id"]] = Member(**member, protocols=protocols, assignment=assignment)
    return group
