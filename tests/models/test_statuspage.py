"""The status page: publications in, what customers and their tools read out."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.signals import Stage
from models.statuspage import Impact, Publication, StatusPage, overall, page_incidents, recent_days, status_page
from models.statuspage_api import API_DOCUMENTS
from models.statuspage_maintenance import PageMaintenance

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
STAGES: tuple[Stage, ...] = ("investigating", "identified", "monitoring", "resolved")


def told(
    stage: Stage, minute: int, impact: Impact = "major", incident: int = 1, component: str = "checkout"
) -> Publication:
    return Publication(
        delivery_id=uuid.UUID(int=1000 * incident + minute),
        incident_id=uuid.UUID(int=incident),
        number=f"INC-2026-1121-{incident:03d}",
        title=f"{impact} problem with {component}",
        stage=stage,
        impact=impact,
        component=component,
        body=f"{stage} since minute {minute}",
        started_at=NOW,
        at=NOW + timedelta(minutes=minute),
    )


def page(*publications: Publication, at: datetime = NOW + timedelta(hours=1)) -> StatusPage:
    return status_page(
        "Acme", "https://status.example.com/", page_incidents(publications), ["accounts", "checkout"], at
    )


def test_an_incident_from_the_first_word_to_the_last() -> None:
    [incident] = page(*(told(stage, minute) for minute, stage in enumerate(STAGES, start=1))).incidents
    assert incident.stage == "resolved"
    assert incident.monitoring_at == NOW + timedelta(minutes=3)
    assert incident.resolved_at == NOW + timedelta(minutes=4)


@given(order=st.permutations(range(4)), repeated=st.integers(0, 3))
def test_neither_order_nor_repetition_changes_what_is_shown(order: list[int], repeated: int) -> None:
    publications = [told(stage, minute) for minute, stage in enumerate(STAGES)]
    shuffled = [publications[index] for index in order] + [publications[repeated]]
    assert page_incidents(shuffled) == page_incidents(publications)


def test_at_one_instant_the_stages_stand_in_their_own_order() -> None:
    at_once = [told("monitoring", 5), told("resolved", 5)]
    at_once[1] = replace(at_once[1], delivery_id=uuid.UUID(int=1))
    for order in permutations(at_once):
        assert page_incidents(order)[0].resolved_at is not None


def test_what_comes_back_is_not_resolved() -> None:
    shown = page(told("investigating", 1), told("resolved", 9), told("investigating", 12))
    assert shown.incidents[0].resolved_at is None
    assert overall(shown) == "major"


def test_a_component_is_as_bad_as_the_worst_that_is_not_over() -> None:
    shown = page(
        told("investigating", 1, "minor", incident=1),
        told("investigating", 2, "critical", incident=2),
        told("resolved", 3, "critical", incident=3, component="accounts"),
    )
    assert {component.name: component.status for component in shown.components} == {
        "accounts": "operational",
        "checkout": "major_outage",
    }
    assert overall(shown) == "critical"


def test_an_incident_that_got_worse_keeps_its_worst_impact_and_name() -> None:
    [incident] = page(
        told("investigating", 1, "minor"), told("identified", 2, "critical"), told("resolved", 3, "minor")
    ).incidents
    assert incident.impact == "critical"
    assert incident.title == "critical problem with checkout"


def test_history_is_by_day_newest_first() -> None:
    days = recent_days(page(told("resolved", 5), at=NOW + timedelta(days=2)), days=3)
    assert [(day.isoformat(), len(incidents)) for day, incidents in days] == [
        ("2026-11-23", 0),
        ("2026-11-22", 0),
        ("2026-11-21", 1),
    ]


def test_the_summary_has_what_readers_of_status_pages_parse() -> None:
    summary = API_DOCUMENTS["summary.json"](page(told("investigating", 1), told("resolved", 2, incident=2)))
    assert set(summary) == {"page", "components", "incidents", "scheduled_maintenances", "status"}
    assert summary["status"] == {"indicator": "major", "description": "Partial System Outage"}
    assert summary["page"]["updated_at"] == "2026-11-21T14:05:00.000Z"
    [unresolved] = summary["incidents"]
    assert unresolved["status"] == "investigating"
    assert unresolved["impact"] == "major"
    assert unresolved["shortlink"] == "https://status.example.com/#INC-2026-1121-001"
    assert unresolved["incident_updates"][0]["body"] == "investigating since minute 1"
    assert unresolved["components"][0]["status"] == "partial_outage"


def test_a_quiet_page_says_that_all_is_well() -> None:
    quiet = page()
    assert API_DOCUMENTS["status.json"](quiet)["status"] == {
        "indicator": "none",
        "description": "All Systems Operational",
    }
    assert API_DOCUMENTS["incidents/unresolved.json"](quiet)["incidents"] == []


@pytest.mark.parametrize("path", sorted(API_DOCUMENTS))
def test_every_document_names_its_page(path: str) -> None:
    document = API_DOCUMENTS[path](page(told("investigating", 1)))
    assert document["page"]["url"] == "https://status.example.com"
    assert len(document) >= 2


def test_maintenance_is_scheduled_under_way_and_completed() -> None:
    """POLICY 21."""
    at = {"scheduled": NOW + timedelta(days=1), "in_progress": NOW, "completed": NOW - timedelta(days=1)}
    planned = [
        PageMaintenance(uuid.uuid4(), f"It is {status}", ("checkout",), status, begins, begins, NOW, NOW)  # type: ignore[arg-type]
        for status, begins in at.items()
    ]
    shown = status_page("Acme", "https://status.example.com", (), ["accounts", "checkout"], NOW, planned)
    assert {one.name: one.status for one in shown.components} == {
        "accounts": "operational",
        "checkout": "under_maintenance",
    }

    def listed(path: str) -> list[str]:
        return [one["status"] for one in API_DOCUMENTS[path](shown)["scheduled_maintenances"]]

    assert listed("summary.json") == ["scheduled", "in_progress"]
    assert listed("scheduled-maintenances.json") == ["scheduled", "in_progress", "completed"]
    assert listed("scheduled-maintenances/upcoming.json") == ["scheduled"]
    assert listed("scheduled-maintenances/active.json") == ["in_progress"]
    [active] = API_DOCUMENTS["scheduled-maintenances/active.json"](shown)["scheduled_maintenances"]
    assert active["impact"] == "maintenance"
    assert active["scheduled_for"] == "2026-11-21T14:03:00.000Z"
    assert [one["name"] for one in active["components"]] == ["checkout"]
    assert API_DOCUMENTS["status.json"](shown)["status"] == {
        "indicator": "maintenance",
        "description": "Service Under Maintenance",
    }


def test_an_incident_matters_more_than_maintenance() -> None:
    planned = PageMaintenance(uuid.uuid4(), "Upgrade", (), "in_progress", NOW, NOW, NOW, NOW)
    incidents = page_incidents([told("investigating", 1)])
    shown = status_page("Acme", "https://status.example.com", incidents, ["accounts"], NOW, [planned])
    assert {one.name: one.status for one in shown.components} == {
        "accounts": "under_maintenance",
        "checkout": "partial_outage",
    }
    assert API_DOCUMENTS["status.json"](shown)["status"]["indicator"] == "major"
