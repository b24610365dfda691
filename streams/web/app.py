"""Puts the HTTP side together from its ports: one ASGI application. Starts nothing, opens nothing."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI

from streams.web import (
    api,
    api_coordination,
    api_correlation,
    api_heartbeats,
    api_maintenance,
    api_oncall,
    api_operations,
    api_pages,
    docs,
    errors,
    health,
    metrics,
    pagerduty,
    slack,
    status_page,
)
from streams.web.auth import DEFAULT_SENDER, Doors
from streams.web.commands import Commands
from streams.web.edge import Edge
from streams.web.figures import RecentFigures
from streams.web.metrics import WebMetrics
from streams.web.ports import WebPorts
from streams.web.receiver import Receiver

_ABOUT: Final = (
    "Incidents, who was told, and what is owed. Send the token of TOCSIN_API_TOKEN as 'Authorization: Bearer TOKEN'."
    " A command answers once it is handled; with an Idempotency-Key it may be repeated without harm."
)


def build(ports: WebPorts) -> Edge:
    """The application that `serve` serves."""
    web_metrics = WebMetrics()
    settings = ports.settings
    app = _Api(
        title="Tocsin",
        version=version("tocsin"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.ports = ports
    app.state.metrics = web_metrics
    app.state.figures = RecentFigures(ports.reads.figures, web_metrics, ports.monotonic)
    app.state.commands = Commands(ports)
    app.state.api_doors = Doors({"api": settings.api_token} if settings.api_token else {}, "TOCSIN_API_TOKEN", "api")
    app.state.public_page = status_page.PublicPage(ports)
    errors.install(app)
    own = (
        api,
        api_coordination,
        api_correlation,
        api_heartbeats,
        api_maintenance,
        api_oncall,
        api_operations,
        api_pages,
    )
    for part in (*own, pagerduty, slack, status_page, health, metrics, docs):
        app.include_router(part.router)
    doors = Doors(settings.webhook_tokens, "TOCSIN_WEBHOOK_TOKENS", DEFAULT_SENDER)
    return Edge(Receiver(ports, doors, web_metrics), app, web_metrics)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """With the webhooks, which FastAPI does not see."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema["paths"].update(docs.INBOUND_PATHS)
            self.openapi_schema = docs.uncited(schema)
        return self.openapi_schema
