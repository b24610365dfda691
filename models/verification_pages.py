"""Whether people were paged: every page-worthy incident in the very step that makes it so, and once per step of its
chain. POLICY 8, 9, 13. Pure, a part of models/verification.py; what became of each page: models/verification_outbox.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from models.correlation_events import AttachmentStands, IncidentAttached, IncidentDetached
from models.deadlines import WAKE
from models.deliveries import DeliveryKind
from models.escalation_events import LevelPaged, NobodyOnCall, PageHeld, PolicyReassigned
from models.events import DeadlinePassed, IncidentOpened, IncidentReopened, SeverityChanged
from models.findings import Case, Finding, FindingKind, SentRow, Terms, Told, finding, when
from models.policy import Policy
from models.state import Incident
from models.verification_outbox import SentPage, about, answer_findings

_ANEW = frozenset(
    {
        "opened",
        "reopened",
        "escalated",
        "severity raised",
        "business hours",
        "acknowledgement expired",
        "detached",
        "maintenance over",
        "reassigned",
    }
)
"""Reasons for which the chain begins, or goes on, anew."""


def page_findings(case: Case, log: Sequence[Told], terms: Terms) -> list[Finding]:
    """Everything that is wrong with the incident's pages."""
    rows: dict[int, list[SentRow]] = defaultdict(list)
    for row in case.deliveries:
        if row.kind == DeliveryKind.PAGE:
            rows[row.ordinal or 0].append(row)
    found = [*_not_paged(case, log, terms.policy), *_repeated(case, log)]
    for told in log:
        for page in told.event.pages if isinstance(told.event, LevelPaged) else ():
            if page.is_sent:  # else somebody is mentioned in Slack instead
                found += SentPage(case, told, page, log, terms).findings(rows.pop(page.ordinal, []))
    for strange in (row for several in rows.values() for row in several):
        message = "a page stands in the outbox that the log does not know"
        found.append(finding(case, FindingKind.PAGED_TWICE, message, about(strange), strange.created_at))
    return [*found, *answer_findings(case, log, terms)]


def _not_paged(case: Case, log: Sequence[Told], policy: Policy) -> Iterator[Finding]:
    """What begins to be page-worthy pages in the very step that makes it so, unless another incident pages for it."""
    quiet = LevelPaged | PageHeld | NobodyOnCall | IncidentAttached | AttachmentStands
    paged = {told.signal_id for told in log if isinstance(told.event, quiet)}
    last = {told.signal_id: told.after for told in log}
    given = max((told.seq for told in log if isinstance(told.event, PolicyReassigned)), default=0)
    for told in log:  # what was decided under the policy before is not judged by another
        if told.seq > given and told.signal_id not in paged and _begins_to_page(told, last[told.signal_id], policy):
            message = f"it was {last[told.signal_id].priority}, which pages, and nobody was paged"
            evidence = {"event": f"{told.seq} {told.event.kind}", "at": when(told.at)}
            yield finding(case, FindingKind.NOT_PAGED, message, evidence, told.at)


def _begins_to_page(told: Told, after: Incident, policy: Policy) -> bool:
    match told.event:
        case IncidentOpened() | IncidentReopened():
            return policy.pages(after.priority)
        case IncidentDetached():
            return policy.pages(after.priority) and after.status != "acknowledged"
        case SeverityChanged() if told.before is not None and told.before.is_open:
            was = told.before.priority
            return policy.pages(after.priority) and (not policy.pages(was) or after.priority < was)
        case DeadlinePassed(name=name) if name == WAKE:  # what was held until then
            return policy.pages(after.priority)
        case _:
            return False


def _repeated(case: Case, log: Sequence[Told]) -> Iterator[Finding]:
    """One page per step of the chain, unless a person, a severity or a reopening began it anew."""
    seen: set[int] = set()
    count = 0
    for told in log:
        if isinstance(told.event, PolicyReassigned):
            seen = {told.event.step}
        if not isinstance(told.event, LevelPaged):
            continue
        page = told.event
        if page.reason in _ANEW:
            seen.clear()
        if page.step in seen or page.ordinal != count + 1:
            message = f"{page.level} was paged again ({page.reason}) for step {page.step}, as page {page.ordinal}"
            evidence = {"event": str(told.seq), "at": when(told.at)}
            yield finding(case, FindingKind.PAGED_TWICE, message, evidence, told.at)
        seen.add(page.step)
        count += len(page.pages)
