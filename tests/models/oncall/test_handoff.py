"""The note of a handoff: what is open, what happened, who is told. POLICY 11."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from models.oncall.handoff import HandoffFacts, IncidentFacts, handoff_note
from models.oncall.schedule import next_handoff
from models.severity import Severity
from tests.models.oncall.build import layer, local, schedule

WEEKLY = schedule(layer("ana", "ben"))
SINCE, AT = local("2026-01-05 09:00"), local("2026-01-12 09:00")


def incident(number: str, severity: str, opened_at: datetime, **more: object) -> IncidentFacts:
    facts = IncidentFacts(number, f"title of {number}", "web", Severity(severity), opened_at)
    return replace(facts, **more)  # type: ignore[arg-type]


def facts(*incidents: IncidentFacts) -> HandoffFacts:
    handoff = next_handoff(WEEKLY, SINCE)
    assert handoff is not None
    return HandoffFacts("primary", "Europe/Berlin", handoff, SINCE, None, incidents)


def test_a_note_says_who_leaves_and_comes_what_is_open_and_what_happened() -> None:
    hour = timedelta(hours=1)
    note = handoff_note(
        facts(
            incident("INC-3", "SEV3", AT - hour),
            incident("INC-1", "SEV1", AT - 2 * hour, acknowledged_by="ana", paged_at=(AT - hour, AT + hour)),
            incident("INC-2", "SEV2", SINCE - hour, resolved_at=SINCE + hour, paged_at=(SINCE - hour, SINCE)),
            incident("INC-0", "SEV1", SINCE - 9 * hour, resolved_at=SINCE - hour),
            incident("INC-9", "SEV1", AT + hour),
        )
    )
    assert (note.at, note.leaving, note.coming, note.tell) == (AT, ("ana",), ("ben",), ("ana", "ben"))
    assert [one.number for one in note.open] == ["INC-1", "INC-3"]
    assert note.unacknowledged == ("INC-3",)
    assert [one.number for one in note.resolved] == ["INC-2"]
    assert note.pages == 2


def test_a_quiet_week_is_a_quiet_note() -> None:
    note = handoff_note(facts())
    assert (note.open, note.resolved, note.pages) == ((), (), 0)
