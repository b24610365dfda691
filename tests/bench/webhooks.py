"""Webhooks as Alertmanager sends them, each one a new incident that pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = "@service-@@@@@@@"
"""Stands where the service's name goes: to fill a mould is cheap, and the load must be."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """`service` is found again in the page that follows from it."""

    service: str
    body: bytes


def webhooks(run: str, count: int, *, alerts: int) -> Iterator[Webhook]:
    """`count` webhooks of `alerts` alerts each; their services are `<run>-000000` and so on."""
    mould = json.dumps(_webhook(alerts)).encode()
    for number in range(count):
        service = f"{run}-{number:06d}"
        yield Webhook(service, mould.replace(_MARK.encode(), service.encode()))


def _webhook(alerts: int) -> dict[str, object]:
    common = {
        "alertname": "HighErrorRate",
        "severity": "critical",
        "cluster": "bench",
        "namespace": "shop",
        "service": _MARK,
    }
    annotations = {
        "summary": f"The error rate of {_MARK} is above what its budget allows",
        "description": "Half of the requests of the last five minutes have failed. Customers see errors at checkout.",
        "runbook_url": f"https://runbooks.example.test/{_MARK}",
    }
    return {
        "version": "4",
        "groupKey": f'{{}}/{{severity="critical"}}:{{alertname="HighErrorRate", service="{_MARK}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "tocsin",
        "groupLabels": {"alertname": "HighErrorRate", "service": _MARK},
        "commonLabels": common,
        "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example.test:9093",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    **common,
                    "instance": f"10.0.{number // 250}.{number % 250}:9090",
                    "pod": f"{_MARK}-{number}",
                },
                "annotations": annotations,
                "startsAt": "2026-01-05T08:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example.test:9090/graph?g0.expr=rate%28http_errors%5B5m%5D%29&g0.tab=1",
                "fingerprint": f"{number:08x}{number * 2654435761 % 2**32:08x}",
            }
            for number in range(alerts)
        ],
    }
