"""Our own status page, for everybody: HTML, the JSON that readers of Statuspage parse, and an Atom feed. POLICY 18.

Shows publications only, which were written for customers; nothing else of an incident can get here. Readers may be many
in an outage, so the store is asked once in a few seconds, and while it does not answer the last page is shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.policy import Policy
from models.statuspage import StatusPage, page_incidents, status_page
from models.statuspage_api import API_DOCUMENTS
from models.statuspage_maintenance import component_of, page_maintenances
from notifiers.render import status_atom, status_html
from streams.web.errors import UNAVAILABLE, Problem
from streams.web.ports import WebPorts

log = logging.getLogger(__name__)

FRESH_FOR: Final = timedelta(seconds=2)
_WITHIN: Final = 3.0
"""Seconds that a reader waits for the store."""
TITLE: Final = "Status"
_ANYBODY: Final = {"Cache-Control": "public, max-age=5, stale-if-error=3600", "Access-Control-Allow-Origin": "*"}
_NO_INCIDENTS: Final = "The status page cannot be shown at the moment."

router = APIRouter(include_in_schema=False)


class PublicPage:
    """The page as of a moment ago."""

    def __init__(self, ports: WebPorts) -> None:
        self._ports = ports
        self._components = _components(ports.policy.policy)
        self._page: StatusPage | None = None
        self._asked_at = datetime.min.replace(tzinfo=UTC)

    async def read(self) -> StatusPage:
        """Raises Problem where there is none yet and the store does not answer."""
        now = self._ports.clock()
        if self._page is None or not timedelta(0) <= now - self._asked_at < FRESH_FOR:
            self._asked_at = now  # at once, so that one reader asks the store and the others take what there is
            try:
                async with asyncio.timeout(_WITHIN):
                    self._page = await self._read()
            except UNAVAILABLE as error:
                log.warning("the status page shows what it last knew: %s", error)
        if self._page is None:
            raise Problem(503, _NO_INCIDENTS, "Try again in a moment.", headers={"Retry-After": "5"})
        return self._page

    async def _read(self) -> StatusPage:
        reads = self._ports.reads
        incidents, now = page_incidents(await reads.publications()), await reads.now()
        planned = page_maintenances(await reads.windows(), component_of(self._ports.policy.policy), now)
        return status_page(TITLE, self._ports.settings.address(), incidents, self._components, now, planned)


def _components(policy: Policy) -> list[str]:
    return sorted({entry.component for entry in policy.services.values() if entry.component})


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/status", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page that people see."""
    return await _answer(request, status_html, "text/html; charset=utf-8")


@router.api_route("/history.atom", methods=["GET", "HEAD"])
async def feed(request: Request) -> Response:
    """One entry per incident."""
    return await _answer(request, status_atom, "application/atom+xml; charset=utf-8")


@router.api_route("/api/v2/{document:path}", methods=["GET", "HEAD"])
async def document(document: str, request: Request) -> Response:
    """The documents of Statuspage's public API."""
    write = API_DOCUMENTS.get(document)
    if write is None:
        raise Problem(404, f"there is no /api/v2/{document[:60]}", f"There are: {', '.join(API_DOCUMENTS)}.")
    return await _answer(request, lambda page: json.dumps(write(page)), "application/json; charset=utf-8")


async def _answer(request: Request, write: Callable[[StatusPage], str], media_type: str) -> Response:
    public: PublicPage = request.app.state.public_page
    shown = await public.read()
    content = write(shown).encode()
    # The HTML tells the time, so that its tag changes with the page, not with the clock.
    tag = f'"{hashlib.sha256(repr((shown.incidents, shown.maintenances, media_type)).encode()).hexdigest()[:24]}"'
    headers = {**_ANYBODY, "ETag": tag}
    if tag in {given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)
