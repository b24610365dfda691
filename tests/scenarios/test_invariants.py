"""What must hold whatever happens in whatever order: properties over random histories, redelivered or not."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.deadlines import DeadlineStatus
from models.deliveries import DeliveryKind, Provider
from models.escalation import TOCSIN
from models.escalation_events import LevelPaged
from models.evolution import evolve
from models.maintenance import MaintenanceWindow
from models.role import Role
from models.severity import Severity
from models.state import Incident
from tests.scenarios.oncall import policy
from tests.world import DEFAULT, Answer, World, breaks_off, is_down, takes

PODS = st.lists(st.sampled_from(["pod-0", "pod-1", "pod-2"]), min_size=1, max_size=3, unique=True)


class Life(RuleBasedStateMachine):
    """Anything that can happen to a Tocsin."""

    text = DEFAULT

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.text)

    @rule(
        pods=PODS,
        group=st.sampled_from(["g1", "g2"]),
        status=st.sampled_from(["firing", "firing", "resolved"]),
        severity=st.sampled_from(["critical", "page", "warning", "none", "odd"]),
        rate=st.sampled_from(["", "0.003", "0.1", "0.3", "0.6", "nonsense"]),
        truncated=st.sampled_from([0, 0, 0, 2]),
        redeliver=st.sampled_from([1, 1, 3]),
        late=st.sampled_from([0, 0, 0, 45, 600]),
    )
    def webhook(
        self,
        pods: list[str],
        group: str,
        status: str,
        severity: str,
        rate: str,
        truncated: int,
        redeliver: int,
        late: int,
    ) -> None:
        self.world.redeliver = redeliver
        self.world.alert(
            "PostgresDown",  # a kind that has a checklist
            pods=pods,
            group=group,
            status=status,
            labels={"severity": severity},
            annotations={"error_rate": rate},
            truncated=truncated,
            started=self.world.now - timedelta(seconds=late),
            late=timedelta(seconds=late),
        )

    @precondition(lambda self: self.world.store.incidents_by_id)
    @rule(
        what=st.sampled_from(
            [
                "acknowledge",
                "escalate",
                "resolve",
                "update",
                "lower",
                "raise",
                "lead",
                "leave",
                "tick",
                "untick",
                "reassign",
            ]
        )
    )
    def command(self, what: str) -> None:  # noqa: C901 (one arm per command)
        match what:
            case "acknowledge":
                self.world.acknowledge()
            case "escalate":
                self.world.escalate()
            case "resolve":
                self.world.resolve()
            case "update":
                self.world.update("We are on it.", stage="identified")
            case "lower":
                self.world.set_severity(Severity.SEV4)
            case "lead":
                self.world.assign(Role.INCIDENT_COMMANDER, "ben")
            case "leave":
                self.world.assign(Role.INCIDENT_COMMANDER, None)
            case "tick" | "untick":
                self.world.tick(1, done=what == "tick")
            case "reassign":
                chain = None if self.world.incident.chain else "default"
                self.world.reassign(chain)
            case "raise":
                self.world.set_severity(Severity.SEV1)

    @precondition(lambda self: self.world.store.incidents_by_id and self.world.incident.paged_at)
    @rule(behind=st.sampled_from([0, 1, 3600]))
    def an_escalate_older_than_the_last_page_changes_nothing(self, behind: int) -> None:
        self.world.advance(seconds=0)  # what an outage has left comes first
        paged_at, before = self.world.incident.paged_at, len(self.world.store.log)
        assert paged_at is not None
        self.world.escalate(ago=self.world.now - paged_at + timedelta(seconds=behind, microseconds=1))
        assert len(self.world.store.log) == before

    @rule(span=st.sampled_from([1, 29, 31, 121, 299, 301, 1801, 90_000]))
    def time_passes(self, span: int) -> None:
        self.world.advance(seconds=span)

    @rule(
        provider=st.sampled_from([Provider.PAGERDUTY, Provider.EMAIL]),
        answer=st.sampled_from([takes, is_down, breaks_off]),
    )
    def pagers(self, provider: Provider, answer: Answer) -> None:
        self.world.answers[provider] = answer

    @rule(span=st.sampled_from([600, 20_000]))
    def outage_of_ours(self, span: int) -> None:
        self.world.now += timedelta(seconds=span)

    @invariant()
    def folding_the_log_gives_the_state(self) -> None:
        folded: dict[str, Incident] = {}
        for owner, entry in self.world.store.log:
            folded[owner] = evolve(folded.get(owner), entry.event, entry.at)  # type: ignore[arg-type]
        assert folded == {str(key): state for key, state in self.world.store.incidents_by_id.items()}

    @invariant()
    def a_step_pages_at_most_once(self) -> None:
        pages = [one.lane for one in self.world.sent if one.kind is DeliveryKind.PAGE]
        assert not [lane for lane, count in Counter(pages).items() if count > 1]

    @invariant()
    def every_page_is_delivered_pending_or_cancelled(self) -> None:
        paged = [entry.event for _, entry in self.world.store.log if isinstance(entry.event, LevelPaged)]
        decided = sum(page.is_sent for event in paged for page in event.pages)
        assert decided == sum(one.delivery.kind is DeliveryKind.PAGE for one in self.world.store.outbox)

    @invariant()
    def nobody_is_paged_twice_for_one_step(self) -> None:
        for _, entry in self.world.store.log:
            if isinstance(entry.event, LevelPaged):
                people = [person for one in entry.event.recipients for person in one.people]
                ways = [page.way for page in entry.event.pages if page.is_sent]
                assert len(set(people)) == len(people)
                assert len(set(ways)) == len(ways)

    @invariant()
    def only_the_page_of_the_current_level_waits_to_be_sent(self) -> None:
        current = {
            one.dedup_key(page) for one in self.world.store.incidents_by_id.values() for page in one.current_pages
        }
        waiting = {
            one.delivery.lane
            for one in self.world.store.outbox
            if one.delivery.kind is DeliveryKind.PAGE and one.status == "pending"
        }
        assert waiting <= current

    @invariant()
    def nobody_is_paged_while_somebody_has_it(self) -> None:
        for incident in self.world.store.incidents_by_id.values():
            if incident.status != "triggered":
                assert "acknowledge" not in incident.deadlines
                assert not [
                    one
                    for one in self.world.store.outbox
                    if one.delivery.incident_id == incident.id
                    and one.delivery.kind is DeliveryKind.PAGE
                    and one.status == "pending"
                ]

    @invariant()
    def a_triggered_incident_that_pages_waits_for_somebody_or_gave_up_loudly(self) -> None:
        for incident in self.world.store.incidents_by_id.values():
            if incident.status == "triggered" and incident.pages:
                kinds = [entry.event.kind for owner, entry in self.world.store.log if owner == str(incident.id)]
                reopened = [place for place, kind in enumerate(kinds) if kind == "incident_reopened"]
                life = kinds[reopened[-1] :] if reopened else kinds
                waits = bool({"acknowledge", "wake"} & set(incident.deadlines))
                assert waits or "escalation_exhausted" in life or "level_paged" not in life

    @invariant()
    def what_is_open_though_nothing_fires_has_a_deadline(self) -> None:
        for incident in self.world.store.incidents_by_id.values():
            if incident.is_open and not (incident.firing or incident.alerts.unlisted):
                assert {"calm", "storm"} & set(incident.deadlines)  # a storm has no alerts of its own

    @invariant()
    def the_ledger_agrees_with_the_states(self) -> None:
        armed = {
            due.id
            for one in self.world.store.incidents_by_id.values()
            for due in one.deadlines.values()
            if due.name != "postmortem"
        }
        armed |= {due.id for one in self.world.store.reviews_by_key.values() for due in one.deadlines.values()}
        armed |= {due.id for one in self.world.store.windows.values() for due in one.deadlines.values()}
        waiting = {DeadlineStatus.PENDING, DeadlineStatus.CLAIMED}
        assert armed == {row.id for row in self.world.store.ledger.values() if row.status in waiting}

    @invariant()
    def order_holds_in_every_lane(self) -> None:
        for provider in Provider:
            sent = [one.id for one in self.world.sent if one.provider is provider]
            for lane in {one.delivery.lane for one in self.world.store.outbox if one.delivery.provider is provider}:
                planned = [one.delivery.id for one in self.world.store.outbox if one.delivery.lane == lane]
                taken = [one for one in sent if one in set(planned)]
                assert taken == [one for one in planned if one in set(taken)]


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase


class LifeOnCall(Life):
    """The same where levels are people, a schedule with gaps, and a team of whom one has no pager; a SEV3 pages in
    business hours only, and acknowledgements expire.
    """

    text = policy(
        "{name: days, targets: [{schedule: days}]}",
        "{name: on-call, targets: [{schedule: payments}, {person: ana}, {team: network}]}",
        "{name: noc, routing_key: TOCSIN_KEY_NOC, targets: [{schedule: later}, {person: cleo}]}",
        "{name: hands, all_hands: true, severities: [SEV1]}",
        services="{checkout: {owner: payments, experts: [dora, ben]}}",
    ).replace("SEV3: {1: P2, 2: P2, 3: P3}", "SEV3: {1: P1, 2: P1, 3: P1}")
    text += "acknowledgement_expires: {SEV1: 30m, SEV3: 2m}\n"


LifeOnCall.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestLifeOnCall = LifeOnCall.TestCase


class LifeInMaintenance(Life):
    """The same with windows that are planned, moved, ended and cancelled. POLICY 21."""

    @rule(
        ahead=st.sampled_from([0, 0, 120, 86_400]),
        hours=st.sampled_from([0.05, 1, 5]),
        services=st.sampled_from([["checkout"], ["*"], ["billing"]]),
        covers_sev1=st.booleans(),
        redeliver=st.sampled_from([1, 2]),
    )
    def plan(self, ahead: int, hours: float, services: list[str], redeliver: int, *, covers_sev1: bool) -> None:
        self.world.redeliver = redeliver
        span = timedelta(seconds=ahead)
        self.world.plan_maintenance(services=services, ahead=span, lasting=hours, covers_sev1=covers_sev1)

    @precondition(lambda self: self.world.store.windows)
    @rule(what=st.sampled_from(["end", "extend", "shorten", "cancel"]), which=st.integers(0, 3))
    def change(self, what: str, which: int) -> None:
        window = sorted(self.world.store.windows.values(), key=lambda one: one.planned_at)[-1 - which :][0]
        match what:
            case "cancel":
                self.world.cancel_maintenance(window)
            case "end":
                self.world.end_maintenance(window)
            case _:
                by = timedelta(minutes=40 if what == "extend" else -40)
                self.world.end_maintenance(window, window.ends_at + by)

    @invariant()
    def nothing_pages_by_itself_in_a_window(self) -> None:
        states: dict[str, Incident] = {}
        for owner, entry in self.world.store.log:
            states[owner] = evolve(states.get(owner), entry.event, entry.at)  # type: ignore[arg-type]
            event = entry.event
            if isinstance(event, LevelPaged) and event.reason != "escalated" and event.by == TOCSIN:
                sev1 = states[owner].severity is Severity.SEV1
                assert not [
                    one
                    for one in self.world.store.windows.values()
                    if one.covers(states[owner].service, states[owner].environment)
                    and (one.covers_sev1 or not sev1)
                    and one.planned_at < entry.at
                    and one.starts_at <= entry.at < _over_at(one)
                ]

    @invariant()
    def what_is_held_waits_for_a_window_that_is_in_force(self) -> None:
        now = self.world.now
        for incident in self.world.store.incidents_by_id.values():
            wake = incident.deadlines.get("wake")
            if incident.held_by and wake and wake.due_at > now:
                assert any(
                    one.covers(incident.service, incident.environment) and one.is_in_force(now)
                    for one in self.world.store.windows.values()
                )


def _over_at(window: MaintenanceWindow) -> datetime:
    return window.last_at if window.status == "cancelled" else window.ends_at


LifeInMaintenance.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestLifeInMaintenance = LifeInMaintenance.TestCase
