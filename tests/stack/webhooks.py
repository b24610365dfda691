"""Webhooks as Alertmanager would send them, and the policy under which the stories play."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import uuid4

import yaml

from models.policy_file import shipped_policy
from streams.demo.policy import sped_up

CRITICAL = {"severity": "critical", "tier": "1"}
"""SEV1/P0, whose clock is short in these stories."""
URGENT = {"severity": "page"}
"""SEV2/P1: pages, and its clock does not run out while a story is told."""


def story_policy() -> str:
    """The demo's policy with the clock of SEV1 shorter still, and that of SEV2 too long to matter."""
    policy = yaml.safe_load(sped_up(shipped_policy("default")))
    policy["name"] = "stack"
    policy["acknowledge_within"]["severity"] = {"SEV1": "2s", "SEV2": "30m", "SEV3": "1h"}
    policy["acknowledge_within"]["priority"] = {"P0": "15m", "P1": "1h", "P2": "4h", "P3": "1d"}
    policy["communication"]["email"] = ["ops@example.test"]
    policy["correlation"]["storm"] = None  # a stream of webhooks begins many incidents, and each must page
    policy["heartbeats"] = [{"name": "watchdog"}]
    return yaml.safe_dump(policy, sort_keys=False)


def new_service(what: str = "shop") -> str:
    """A service of this story's own, and with it an incident of its own."""
    return f"{what}-{uuid4().hex[:8]}"


def webhook(
    service: str, status: str = "firing", *, pods: int = 1, labels: dict[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    """One group of alerts of a service; `changes` replace top-level fields."""
    common = {"alertname": "HighErrorRate", "namespace": "prod", "service": service, **(labels or CRITICAL)}
    alerts = [
        {
            "status": status,
            "labels": {**common, "pod": f"pod-{number}"},
            "annotations": {"summary": f"{service} fails", "runbook_url": "https://runbooks.example.com/errors"},
            "startsAt": "2026-01-05T03:12:44.213Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-05T03:32:44.213Z",
            "generatorURL": "https://prometheus.example.com/graph",
            "fingerprint": hashlib.sha256(f"{service}/{number}".encode()).hexdigest()[:16],
        }
        for number in range(pods)
    ]
    return {
        "receiver": "tocsin",
        "status": status,
        "alerts": alerts,
        "groupLabels": {"alertname": "HighErrorRate", "service": service},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="HighErrorRate", service="{service}"}}',
        "truncatedAlerts": 0,
        **changes,
    }


def acknowledged_in_pagerduty(dedup_key: str, by: str = "Sam Field") -> bytes:
    """What PagerDuty's webhook says when a person has acknowledged a page there."""
    event: dict[str, Any] = {
        "id": str(uuid4()),
        "event_type": "incident.acknowledged",
        "resource_type": "incident",
        "occurred_at": "2026-01-05T03:14:00.000Z",
        "agent": {"id": "P1", "type": "user_reference", "summary": by},
        "data": {"id": "Q1", "type": "incident", "incident_key": dedup_key, "status": "acknowledged"},
    }
    return encoded({"event": event})


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
