"""What must hold of incidents that belong together, whatever happens in whatever order. POLICY 7."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from models.state import Incident
from tests.scenarios.test_correlation import POLICY
from tests.scenarios.test_invariants import Life
from tests.world import World

SERVICES = st.sampled_from(["database", "checkout", "shop", "billing", "search"])
ANSWERED = {"level_paged", "page_held", "nobody_on_call", "acknowledged", "escalation_exhausted"}
BEGINNINGS = {"incident_opened", "incident_reopened", "incident_detached"}


class LifeTogether(Life):
    """Anything that can happen where services depend on each other and storms begin early."""

    text = POLICY.replace("{incidents: 30, within: 5m}", "{incidents: 4, within: 5m}")

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[tuple[str, str], str] = {}

    @rule(
        service=SERVICES,
        pod=st.sampled_from(["pod-0", "pod-1"]),
        status=st.sampled_from(["firing", "firing", "resolved"]),
        severity=st.sampled_from(["critical", "page", "warning"]),
        redeliver=st.sampled_from([1, 1, 2]),
    )
    def another_webhook(self, service: str, pod: str, status: str, severity: str, redeliver: int) -> None:
        self.world.redeliver = redeliver
        labels = {"service": service, "severity": severity}
        name = f"{service}Errors"
        self.world.alert(
            name, pods=[pod], group=f"{service}/{pod}", status=status, labels=labels, started=self.world.now
        )
        self.told[service, f"{name}/{pod}"] = status

    @precondition(lambda self: self.world.store.incidents_by_id)
    @rule(service=SERVICES, into=SERVICES, what=st.sampled_from(["merge", "split", "freeze", "thaw"]))
    def somebody_rearranges(self, service: str, into: str, what: str) -> None:
        if not (known(self.world, service) and known(self.world, into)):
            return
        match what:
            case "merge":
                self.world.merge(service, into)
            case "split":
                self.world.split(service)
            case "freeze" | "thaw":
                self.world.freeze(frozen=what == "freeze")

    @rule()
    def all_look_again(self) -> None:
        """An attached incident is never attached for long to one that is over."""
        self.world.advance(minutes=6)
        for one in still_open(self.world):
            if one.parent is not None:
                parent = self.world.store.latest(one.parent)
                assert parent is not None
                assert parent.is_open

    @invariant()
    def what_is_attached_pages_nobody_and_looks_again(self) -> None:
        for one in still_open(self.world):
            if one.parent is not None:
                assert "attachment" in one.deadlines
                assert not {"acknowledge", "wake"} & set(one.deadlines)

    @invariant()
    def nothing_is_attached_to_itself_however_long_the_way(self) -> None:
        for one in still_open(self.world):
            seen, ahead = {one.key}, one.parent
            while ahead is not None:
                assert ahead not in seen
                seen.add(ahead)
                further = self.world.store.latest(ahead)
                ahead = further.parent if further is not None else None

    @invariant()
    def what_pages_and_stands_alone_has_paged(self) -> None:
        for one in still_open(self.world):
            if one.parent is None and self.world.policy.pages(one.priority):
                kinds = self.world.log_of(one)
                began = max(place for place, kind in enumerate(kinds) if kind in BEGINNINGS)
                assert ANSWERED & set(kinds[max(began - 3, 0) :]), kinds

    @invariant()
    def no_alert_is_lost(self) -> None:
        for (service, fingerprint), status in self.told.items():
            of_it = [one for one in self.world.store.incidents_by_id.values() if one.service == service]
            waited_for = [one for one in of_it if one.is_open and fingerprint in one.alerts.firing]
            silenced = [one for one in of_it if fingerprint in one.alerts.muted]
            if status == "firing":
                assert waited_for or silenced, (service, fingerprint)
            else:
                assert not waited_for, (service, fingerprint)


def known(world: World, service: str) -> bool:
    return any(one.service == service for one in world.store.incidents_by_id.values())


def still_open(world: World) -> list[Incident]:
    return [one for one in world.store.incidents_by_id.values() if one.is_open]


LifeTogether.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLifeTogether = LifeTogether.TestCase
