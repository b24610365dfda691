"""Whether what was decided was sent: every page, in time, with a clock that began at the receipt, and every answer
carried to every page that went out. POLICY 8, 13. Pure, a part of models/verification_pages.py.

A page may be late for a reason that the rows name: the provider's (told by the second way), or that somebody had the
incident first. Then it is no finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.deadlines import ACKNOWLEDGE
from models.deliveries import DeliveryKind
from models.escalation_events import Acknowledged, LevelPaged, PageFailed, PageReceived
from models.events import AlertsJoined, IncidentResolved
from models.findings import Case, Finding, FindingKind, SentRow, Terms, Told, finding, when
from models.page import Page

PAGED_WITHIN = timedelta(seconds=30)
"""POLICY 13."""
IN_PROGRESS = timedelta(seconds=60)
"""How long what must follow may be under way: a report, a record on its topic, the lifecycle's next transaction."""
ANSWERED_WITHIN = timedelta(hours=25)
"""Acknowledges and resolves are tried for 24 hours; what still waits then is given up by nobody."""


@dataclass(frozen=True, slots=True)
class SentPage:
    """One page: its decision, what the log told afterwards, and its rows."""

    case: Case
    told: Told
    page: Page
    log: Sequence[Told]
    terms: Terms

    def findings(self, rows: Sequence[SentRow]) -> Iterator[Finding]:
        """What is wrong with it."""
        if not rows:
            evidence = {"decided": when(self.told.at), "event": str(self.told.seq)}
            yield self._wrong(FindingKind.PAGE_LOST, "was decided, and is not in the outbox", evidence)
            return
        for row in rows[1:]:
            yield self._wrong(FindingKind.PAGED_TWICE, "stands in the outbox more than once", about(row), self.told.at)
        row = rows[0]
        if row.lane != f"{self.case.id}/{self.page.ordinal}":
            yield self._wrong(
                FindingKind.PAGED_TWICE, f"has a dedup_key not its own: {row.lane}", about(row), self.told.at
            )
        match row.status:
            case "cancelled":
                if self._taken_at() is None:
                    yield self._wrong(FindingKind.PAGE_LOST, "was withdrawn, though nobody had it", about(row))
            case "delivered":
                yield from self._late(row, row.ended_at or row.created_at)
                yield from self._received(row, row.ended_at or row.created_at)
            case "refused":
                if not (self._failed(final=True) or self._may_be_untold(row)):
                    message = "was refused, and its incident has not been told"
                    yield self._wrong(FindingKind.PAGE_UNTOLD, message, about(row))
            case _:
                if self.terms.now - self._since() > PAGED_WITHIN + IN_PROGRESS:
                    yield from self._late(row, self.terms.now)

    def _late(self, row: SentRow, until: datetime) -> Iterator[Finding]:
        """POLICY 13. A reason that stands in the rows excuses it."""
        since = self._since()
        taken = self._taken_at()
        if (
            until - since <= PAGED_WITHIN
            or self._failed(final=False)
            or self._failed(final=True)
            or (taken is not None and taken - since <= PAGED_WITHIN + IN_PROGRESS)
            or _only_just_missed(row, since, until)
        ):
            return
        fate = "was delivered" if row.status == "delivered" else "has not been delivered"
        message = f"{fate} {(until - since).total_seconds():.0f} s after the alert, and no reason is known"
        started = {"alert": when(since), "decided": when(self.told.at), "first attempt": when(row.first_attempt_at)}
        yield self._wrong(FindingKind.PAGE_LATE, message, {**started, **about(row)}, row.ended_at)

    def _received(self, row: SentRow, at: datetime) -> Iterator[Finding]:
        """Its receipt starts the clock."""
        received = [told for told in self._later() if isinstance(told.event, PageReceived)]
        mine = next((it for it in received if getattr(it.event, "ordinal", None) == self.page.ordinal), None)
        if mine is None:
            if not (self._may_be_untold(row) or self._failed(final=True)):
                message = "was delivered, and its incident has not been told, so its clock did not start"
                yield self._wrong(FindingKind.PAGE_UNTOLD, message, about(row))
            return
        due = getattr(mine.event, "acknowledge_due", None)
        current = mine.before.current_pages if mine.before else ()
        clocked = any(it.received or not it.is_sent for it in current)  # a mention's clock runs from the decision
        armed = mine.before is not None and ACKNOWLEDGE in mine.before.deadlines
        waited_for = armed and self.page.ordinal in {page.ordinal for page in current} and not clocked
        if (waited_for and due is None) or (due is not None and due <= min(at, mine.at)):
            message = f"was delivered, but its clock did not start then: it ends {when(due)}"
            yield self._wrong(FindingKind.PAGE_UNTOLD, message, {**about(row), "event": str(mine.seq)})

    def _since(self) -> datetime:
        """When the alert was received that led to it, where one did; else when it was decided."""
        same = (told.event for told in self.log if told.signal_id == self.told.signal_id)
        return min([self.told.at, *(event.received_at for event in same if isinstance(event, AlertsJoined))])

    def _later(self) -> Iterator[Told]:
        return (told for told in self.log if told.seq > self.told.seq)

    def _taken_at(self) -> datetime | None:
        """When it was no longer this page that was waited for: somebody had the incident, or another was paged."""
        over = (
            told.at for told in self._later() if isinstance(told.event, Acknowledged | IncidentResolved | LevelPaged)
        )
        return next(over, None)

    def _failed(self, *, final: bool) -> bool:
        """True when it was told by the second way that it is late, or never comes."""
        failures = (told.event for told in self._later() if isinstance(told.event, PageFailed))
        return any(it.ordinal == self.page.ordinal and it.final is final for it in failures)

    def _may_be_untold(self, row: SentRow) -> bool:
        """True while the news is under way, and for one that came when the incident was over."""
        ended_at = row.ended_at or row.created_at
        over = any(isinstance(told.event, IncidentResolved) for told in self._later())
        return over or self.terms.now - ended_at <= IN_PROGRESS

    def _wrong(
        self, kind: FindingKind, message: str, evidence: Mapping[str, str], at: datetime | None = None
    ) -> Finding:
        """It is over, at the latest, when the page is waited for no more."""
        message = f"page {self.page.ordinal}, to {self.page.level}, {message}"
        return finding(self.case, kind, message, evidence, at or self._taken_at())


def _only_just_missed(row: SentRow, since: datetime, until: datetime) -> bool:
    """Tried in time and taken before anybody could have said that it is late: the provider was slow."""
    tried_at = row.first_attempt_at
    in_time = tried_at is not None and tried_at - since <= PAGED_WITHIN
    return in_time and until - row.created_at <= PAGED_WITHIN + timedelta(seconds=10)


def answer_findings(case: Case, log: Sequence[Told], terms: Terms) -> Iterator[Finding]:
    """An acknowledgement and a resolution go to every page that reached somebody."""
    for kind, event in ((DeliveryKind.PAGE_ACKNOWLEDGE, Acknowledged), (DeliveryKind.PAGE_RESOLVE, IncidentResolved)):
        ends = [told.after for told in log if isinstance(told.event, event)]
        wanted = Counter(page.ordinal for after in ends for page in after.pages if page.routing_key and not page.failed)
        sent: dict[int, list[SentRow]] = defaultdict(list)
        for row in case.deliveries:
            if row.kind == kind:
                sent[row.ordinal or 0].append(row)
        for page in (row for row in case.deliveries if row.kind == DeliveryKind.PAGE and row.status == "delivered"):
            yield from _answered(case, page, sent[page.ordinal or 0], wanted[page.ordinal or 0], terms.now)


def _answered(case: Case, page: SentRow, rows: Sequence[SentRow], wanted: int, now: datetime) -> Iterator[Finding]:
    if len(rows) < wanted:
        message = f"page {page.ordinal} reached people, and {wanted - len(rows)} of {wanted} answers to it are not sent"
        yield finding(case, FindingKind.ANSWER_LOST, message, about(page), page.ended_at)
    for row in rows:
        waits = row.status in {"pending", "sending"} and now - row.created_at > ANSWERED_WITHIN
        if waits or row.status in {"refused", "cancelled"}:
            what = row.kind.removeprefix("page_")
            message = f"the {what} of page {page.ordinal} did not get to its provider ({row.status}): {row.detail}"
            yield finding(case, FindingKind.ANSWER_LOST, message, about(row), row.ended_at)


def about(row: SentRow) -> dict[str, str]:
    """A row as evidence."""
    ended = {"ended": when(row.ended_at)} if row.ended_at else {}
    return {"delivery": str(row.id), "created": when(row.created_at), "attempts": str(row.attempts), **ended}
