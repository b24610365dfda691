"""An incident's events in words: one sentence per kind. What an event means is models/events.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from models import correlation_words
from models.correlation_events import CorrelationEvent
from models.events import decode_event
from streams.cli.output import instant
from streams.web.api_models import TimelineEntry

_Event = Mapping[str, Any]


def told(entry: TimelineEntry) -> str:
    """The sentence; for a kind that this version does not know, its fields as they are."""
    sentence = _SENTENCES.get(entry.kind)
    try:
        if sentence is not None:
            return sentence(entry.event)
        event = decode_event(json.dumps({"kind": entry.kind, **entry.event}))
        return correlation_words.said(event) if isinstance(event, CorrelationEvent) else _as_it_is(entry.event)
    except (KeyError, TypeError, ValueError, AttributeError):  # of another version
        return _as_it_is(entry.event)


def _at(stated: str) -> str:
    return instant(datetime.fromisoformat(stated))


def _as_it_is(event: _Event) -> str:
    return ", ".join(f"{name}: {value}" for name, value in event.items())


def _opened(event: _Event) -> str:
    return f"{event['severity']}/{event['priority']} {event['title']} ({'; '.join(event['why'])})"


def _joined(event: _Event) -> str:
    names = sorted({str(alert["labels"].get("alertname", "an alert")) for alert in event["alerts"]})
    count = len(event["alerts"])
    return f"{count} {'alert' if count == 1 else 'alerts'}: {', '.join(names)}"


def _severity(event: _Event) -> str:
    due = event.get("acknowledge_due")
    sooner = f"; now to be acknowledged by {_at(due)}" if due else ""
    return f"{event['severity']}/{event['priority']} by {event['by']} ({'; '.join(event['why'])}){sooner}"


def _planned(event: _Event) -> str:
    pending = [f"{one['severity']} at {_at(one['due_at'])}: {one['why']}" for one in event["pending"]]
    return "; ".join(pending) or "nothing is pending any more"


def _paged(event: _Event) -> str:
    return f"{event['level']} (page {event['ordinal']}, {event['reason']}, by {event['by']})"


def _received(event: _Event) -> str:
    due = event["acknowledge_due"]
    return f"page {event['ordinal']} has arrived" + (f"; to be acknowledged by {_at(due)}" if due else "")


def _failed(event: _Event) -> str:
    return f"page {event['ordinal']} to {event['level']}: {event['reason']}{' (for good)' if event['final'] else ''}"


def _said(event: _Event) -> str:
    parts = (("", event["message"]), ("actions: ", event["actions"]), ("next: ", event["next_steps"]))
    return f"{event['by']}, {event['stage']}: " + "; ".join(f"{label}{text}" for label, text in parts if text)


def _during(maintenance: object) -> str:
    return f" during maintenance “{maintenance}”" if maintenance else ""


def _resolved(event: _Event) -> str:
    note = f": {event['note']}" if event["note"] else ""
    owed = f"; postmortem due {_at(event['postmortem_due'])}" if event["postmortem_due"] else ""
    return f"by {event['by']} via {event['via']}{note}{owed}"


_SENTENCES: Final[Mapping[str, Callable[[_Event], str]]] = {
    "incident_opened": _opened,
    "incident_reopened": lambda event: str(event["why"]),
    "alerts_joined": _joined,
    "alerts_seen": lambda event: f"still firing; stale at {_at(event['stale_due'])}",
    "group_truncated": lambda event: (
        "alerts that are not listed" if event["unlisted"] else "all alerts are listed again"
    ),
    "alerts_resolved": lambda event: f"{len(event['fingerprints'])} no longer firing",
    "alerts_muted": lambda event: f"{len(event['alerts'])} silent until seen resolved",
    "severity_changed": _severity,
    "reclassification_planned": _planned,
    "level_paged": _paged,
    "page_received": _received,
    "page_failed": _failed,
    "escalation_exhausted": lambda event: f"{event['pages']} pages and no answer",
    "acknowledged": lambda event: f"by {event['by']} via {event['via']}",
    "update_posted": _said,
    "alerts_went_stale": lambda event: f"nobody has mentioned them since before {_at(event['stale_due'])}",
    "incident_resolved": _resolved,
    "level_skipped": lambda event: f"{event['level']} reaches nobody: {event['reason']}",
    "nobody_on_call": lambda event: f"no level reaches anybody: {', '.join(event['levels'])}",
    "page_held": lambda event: f"nobody is woken{_during(event.get('maintenance'))}; paged at {_at(event['until'])}",
    "policy_reassigned": lambda event: (
        f"policy version {event['policy_version']}, chain {event['chain'] or 'of its service'}, by {event['by']}"
    ),
    "acknowledgement_stands": lambda event: f"there was news; asked again at {_at(event['expires_due'])}",
    "deadline_passed": lambda event: str(event["name"]),
    "update_expected": lambda event: (
        f"the next update by {_at(event['update_due'])}" if event["update_due"] else "no update is due any more"
    ),
    "update_reminded": lambda event: f"of the update that is due at {_at(event['update_due'])}",
    "update_missed": lambda event: (
        f"due at {_at(event['was_due'])}, {event['missed']} in a row"
        + (f"; {event['level']} is told" if event["level"] else "")
    ),
    "role_assigned": lambda event: (
        f"{event['person'] or 'nobody'} is {event['role'].replace('_', ' ')}, by {event['by']}"
    ),
    "commander_expected": lambda event: (
        f"by {_at(event['commander_due'])}" if event["commander_due"] else "none is needed any more"
    ),
    "commander_missing": lambda event: (
        f"nobody leads, said {event['asked']} times" + (f"; {event['level']} is told" if event["level"] else "")
    ),
    "checklist_step_ticked": lambda event: f"{event['step']}. {event['text']} ({event['phase']}), by {event['by']}",
    "checklist_step_unticked": lambda event: f"{event['step']}. {event['text']}, not done after all, by {event['by']}",
    "flapping_began": lambda event: (
        f"reopened {event['reopens']} times since {_at(event['since'])}; stays open until calm for {event['calm']}"
    ),
    "resolution_held": lambda event: f"every alert has resolved; over at {_at(event['calm_due'])} if none fires again",
    "calm_broken": lambda _: "fires again before it had been calm for long enough",
    "publication_overdue": lambda event: f"the public entry is old; looked at again at {_at(event['publication_due'])}",
}
