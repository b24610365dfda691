"""Whether a page that is held for maintenance waits for a window that there is. POLICY 21. Pure, a part of
models/verification.py.

That its time comes is the ledger's to show; that something follows then, models/verification_pages.py's.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.deadlines import WAKE
from models.findings import Case, Finding, FindingKind, Terms, finding, when
from models.verification_outbox import IN_PROGRESS


def hold_findings(case: Case, terms: Terms) -> Iterator[Finding]:
    """A held page whose window is neither in force nor has just changed."""
    incident = case.incident
    wake = incident.deadlines.get(WAKE) if incident and incident.held_by else None
    if incident is None or wake is None or not terms.policy.pages(incident.priority):
        return
    lately = terms.now - IN_PROGRESS
    for window in terms.windows:
        just_changed = window.last_at > lately or lately < window.ends_at <= terms.now
        if window.covers(incident.service, incident.environment) and (just_changed or window.is_in_force(terms.now)):
            return
    message = f"its page is held for maintenance “{incident.held_by}”, which is not in force"
    yield finding(case, FindingKind.NOT_PAGED, message, {"until": when(wake.due_at)})
