"""Liveness (this process answers) and readiness (it can do its work). POLICY 34.

Ready means that webhooks can be accepted and questions answered. A stalled worker is said, but is not this process's
failing: what it accepts meanwhile is kept.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from models.store.rows import Figures
from streams.web.commands import Commands
from streams.web.errors import UNAVAILABLE
from streams.web.figures import RecentFigures
from streams.web.ports import WebPorts

_WITHIN: Final = 3.0
STALLED_AFTER: Final = 30.0
"""Seconds that a due deadline or a page may wait before the worker counts as stalled."""

router = APIRouter(include_in_schema=False)


@router.api_route("/health/live", methods=["GET", "HEAD"])
async def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "live"}


@router.api_route("/health/ready", methods=["GET", "HEAD"])
async def ready(request: Request) -> JSONResponse:
    """200 or 503, with what is wrong."""
    ports: WebPorts = request.app.state.ports
    broker, (database, figures) = await asyncio.gather(_broker(ports), _database(request.app.state.figures))
    is_ready = broker == database == "ok"
    worker = await _worker(figures, request.app.state.commands)
    answer: dict[str, Any] = {
        "status": "not ready" if not is_ready else "degraded" if worker == "stalled" else "ready",
        "broker": broker,
        "database": database,
        "worker": worker,
        "recording": ports.recording,
        "policy": {"name": ports.policy.policy.name, "version": ports.policy.version},
    }
    if answer["recording"]:
        answer["hint"] = (
            f"Nobody is told by {', '.join(answer['recording'])}: not configured, so deliveries are only recorded."
        )
    return JSONResponse(answer, 200 if is_ready else 503, headers={"Cache-Control": "no-store"})


async def _broker(ports: WebPorts) -> str:
    # Never cancelled: it may be opening the connection that webhooks wait for.
    check = asyncio.ensure_future(ports.broker_answers())
    check.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
    await asyncio.wait({check}, timeout=_WITHIN)
    if not check.done():
        return "unreachable (TimeoutError)"
    try:
        check.result()
    except UNAVAILABLE as error:
        return f"unreachable ({type(error).__name__})"
    return "ok"


async def _database(figures: RecentFigures) -> tuple[str, Figures | None]:
    try:
        return "ok", await figures.read()
    except UNAVAILABLE as error:
        return f"unreachable ({type(error).__name__})", None


async def _worker(figures: Figures | None, commands: Commands) -> str:
    if figures is None:
        return "unknown"
    if max(figures.oldest_due_deadline_seconds, figures.oldest_pending_page_seconds) > STALLED_AFTER:
        return "stalled"
    try:
        async with asyncio.timeout(_WITHIN):
            return "stalled" if await commands.waits() else "ok"
    except UNAVAILABLE:
        return "unknown"
