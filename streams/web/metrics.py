"""Tocsin's own metrics for Prometheus: what the HTTP side did, and what the store holds when it is asked. POLICY 39.

Label values are few and ours (senders come from the settings), never text that a client sent.
"""

from __future__ import annotations

import logging
import math
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

from models.deliveries import Provider
from models.severity import Severity
from models.store.rows import Figures
from streams.web.errors import UNAVAILABLE

log = logging.getLogger(__name__)

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WebMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.webhooks = Counter(
            "tocsin_webhooks", "Webhooks by sender and outcome.", ["sender", "outcome"], registry=registry
        )
        self.refused = Counter(
            "tocsin_webhooks_refused", "Refused webhooks by what was wrong.", ["reason"], registry=registry
        )
        self.denied = Counter(
            "tocsin_requests_denied", "Requests without valid credentials.", ["area"], registry=registry
        )
        self.seconds = Histogram(
            "tocsin_http_request_seconds", "Time to answer, by area.", ["area"], registry=registry, buckets=_SECONDS
        )
        self.answers = Counter(
            "tocsin_http_answers", "Answers by area and class of status.", ["area", "status"], registry=registry
        )
        self.lookup_seconds = Histogram(
            "tocsin_database_lookup_seconds", "Time to ask for the figures below.", registry=registry, buckets=_SECONDS
        )
        self.lookups_failed = Counter(
            "tocsin_database_lookups_failed", "Times that nobody answered.", registry=registry
        )
        self._database = Gauge("tocsin_database_up", "1 when the database answered this scrape.", registry=registry)
        self._pending = Gauge("tocsin_deliveries_pending", "Deliveries not yet made.", ["provider"], registry=registry)
        self._refused = Gauge(
            "tocsin_deliveries_refused",
            "Deliveries that were refused for good or given up.",
            ["provider"],
            registry=registry,
        )
        self._oldest_page = Gauge(
            "tocsin_oldest_pending_page_seconds", "How long a page has not got through.", registry=registry
        )
        self._due = Gauge("tocsin_deadlines_due", "Deadlines that are due and have not fired.", registry=registry)
        self._oldest_due = Gauge(
            "tocsin_oldest_due_deadline_seconds", "Lateness of the latest of them.", registry=registry
        )
        self._open = Gauge("tocsin_incidents_open", "Open incidents.", ["severity"], registry=registry)
        self._findings = Gauge("tocsin_verify_findings", "Promises found broken, of what is recent.", registry=registry)

    def show_findings(self, count: int | None) -> None:
        """Takes over what the watch has found; None before it has looked."""
        self._findings.set(math.nan if count is None else count)

    def show(self, figures: Figures | None) -> None:
        """Takes over what the store holds; None while it is out of reach, when nobody knows."""
        self._database.set(0 if figures is None else 1)
        if figures is None:
            for labelled in (self._pending, self._refused, self._open):
                labelled.clear()
            for single in (self._oldest_page, self._due, self._oldest_due):
                single.set(math.nan)
            return
        for provider in Provider:
            self._pending.labels(provider).set(figures.pending_deliveries.get(provider, 0))
            self._refused.labels(provider).set(figures.refused_deliveries.get(provider, 0))
        for severity in Severity:
            self._open.labels(severity).set(figures.open_incidents.get(severity, 0))
        self._oldest_page.set(figures.oldest_pending_page_seconds)
        self._due.set(figures.due_deadlines)
        self._oldest_due.set(figures.oldest_due_deadline_seconds)


router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Always answers: a scrape that fails would hide the reason."""
    web_metrics: WebMetrics = request.app.state.metrics
    web_metrics.show_findings(request.app.state.ports.findings())
    try:
        web_metrics.show(await request.app.state.figures.read())
    except UNAVAILABLE as error:
        log.warning("the database does not answer: %s", error)
        web_metrics.show(None)
    return Response(generate_latest(web_metrics.registry), media_type=_CONTENT_TYPE)
