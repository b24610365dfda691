"""The API of senders' heartbeats, under /api/v1. Not Tocsin's own: that is TOCSIN_HEARTBEAT_URL."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from models.heartbeats import Watched, due_at, rule_for
from models.policy import Policy
from streams.web.api import API_ERRORS, authorise
from streams.web.commands import Ports

router = APIRouter(prefix="/api/v1", tags=["operations"], dependencies=[Depends(authorise)], responses=API_ERRORS)


class HeartbeatView(BaseModel):
    """`awaited` was never heard yet, and is not overdue. `due_at` is null for one that the policy no longer knows.
    `incident_key` is that of the incident which its silence opens.
    """

    sender: str
    name: str
    state: Literal["beating", "awaited", "missing"]
    heard_at: datetime | None
    resolved_at: datetime | None
    due_at: datetime | None
    missing_since: datetime | None
    looked_at: datetime | None
    incident_key: str

    @classmethod
    def of(cls, watched: Watched, policy: Policy) -> HeartbeatView:
        rule = rule_for(watched, policy)
        return cls(
            sender=watched.sender,
            name=watched.name,
            state="missing" if watched.missing_at else "beating" if watched.heard_at else "awaited",
            heard_at=watched.heard_at,
            resolved_at=watched.resolved_at,
            due_at=due_at(watched, rule) if rule else None,
            missing_since=watched.since if watched.missing_at else None,
            looked_at=watched.looked_at,
            incident_key=watched.key,
        )


@router.get("/heartbeats")
async def list_heartbeats(ports: Ports) -> list[HeartbeatView]:
    """Which senders are heard as the policy's `heartbeats` want it, and which have fallen silent."""
    return [HeartbeatView.of(watched, ports.policy.policy) for watched in await ports.reads.heartbeats()]
