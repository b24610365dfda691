"""Who may join a consumer group, and who may stay where it is. Pure; what follows from it is `groups.py`'s."""

from __future__ import annotations

from typing import NamedTuple

from streams.embedded.broker.membership import Group, Member, Protocols, State
from streams.embedded.broker.protocol import ErrorCode
from streams.embedded.broker.settings import BrokerSettings


class JoinRequest(NamedTuple):
    """What a member asks for. Times are in seconds."""

    group: str
    member_id: str
    client_id: str
    session: float
    rebalance: float
    protocol_type: str
    protocols: Protocols


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
