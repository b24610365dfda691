"""Senders that fall silent: Watchdog alerts are no incidents, their absence is one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import heartbeats
from models.deliveries import DeliveryKind, Provider
from models.heartbeats import Watched
from models.policy_file import PolicyError, parse_policy, shipped_policy
from models.records import Outgoing
from models.severity import Priority, Severity
from models.state import Incident
from tests.world import DEFAULT, T0, World

WITHOUT = "\n".join(line for line in DEFAULT.splitlines() if not line.startswith("heartbeats:"))
ANYBODY = f"{WITHOUT}\nheartbeats: [{{name: watchdog}}]\n"
PROD = f"{WITHOUT}\nheartbeats: [{{name: watchdog, senders: [prometheus, other], within: 5m}}]\n"


class Crash(Exception):
    """A worker dies."""


@dataclass
class Watch(World):
    """A world whose worker looks for heartbeats every ten seconds."""

    text: str = ANYBODY

    def beat(self, **changes: object) -> None:
        self.alert("Watchdog", labels={"severity": "none"}, group="watchdog", **changes)  # type: ignore[arg-type]

    def look(self) -> None:
        asyncio.run(heartbeats.look(self.ports))
        self._settle()

    @property
    def ports(self) -> heartbeats.HeartbeatPorts:
        return heartbeats.HeartbeatPorts(
            self.store.heartbeats, self._publish, self.policy, self.version, "incident.signals"
        )

    def passes(self, *, beating: bool = False, **span: float) -> None:
        end = self.now + timedelta(**span)
        while self.now < end:
            self.advance(seconds=10)
            if beating and (self.now - T0).total_seconds() % 60 == 0:
                self.beat()
            self.look()

    @property
    def silences(self) -> list[Incident]:
        return [one for one in self.store.incidents_by_id.values() if one.key.startswith("tocsin/heartbeat/")]

    @property
    def known(self) -> Watched:
        return self.store.heartbeats.rows["prometheus", "watchdog"]


def test_a_beat_opens_no_incident_whatever_its_severity() -> None:
    world = Watch()
    world.alert("Watchdog", labels={"severity": "critical"})
    assert world.store.incidents_by_id == {}
    assert world.known.heard_at == T0
    world.alert("Watchdog", labels={"severity": "critical"}, status="resolved")
    assert world.store.incidents_by_id == {}


def test_without_the_section_a_watchdog_is_an_alert_like_any_other() -> None:
    world = Watch(WITHOUT)
    world.alert("Watchdog", labels={"severity": "critical"})
    assert len(world.store.incidents_by_id) == 1
    assert world.store.heartbeats.rows == {}


def test_a_silent_sender_is_paged_about_and_its_beat_ends_it() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=15, seconds=50)
    assert world.silences == []
    world.passes(seconds=20)
    [silence] = world.silences
    assert (silence.key, silence.severity, silence.priority) == (
        "tocsin/heartbeat/prometheus/watchdog",
        Severity.SEV2,
        Priority.P1,
    )
    assert silence.title == "Nothing is heard from prometheus"
    assert "last heard at 2026-03-02 03:00:00 UTC" in silence.summary
    assert silence.started_at == T0
    assert world.pages == ["primary"]
    world.passes(minutes=2)
    world.beat()
    world.look()
    assert [one.status for one in world.silences] == ["resolved"]
    assert world.known.missing_at is None
    assert DeliveryKind.PAGE_RESOLVE in world.kinds(Provider.PAGERDUTY)
    assert DeliveryKind.PUBLICATION not in world.kinds(Provider.STATUSPAGE), "no news for customers"
    assert "postmortem" in world.silences[0].deadlines


def test_one_silence_is_told_once_and_the_next_one_anew() -> None:
    world = Watch()
    world.beat()
    world.passes(hours=1)
    assert world.log.count("alerts_joined") == 1
    world.beat()
    world.look()
    world.passes(minutes=17)
    assert [one.status for one in world.silences] == ["triggered"]
    assert world.log.count("incident_reopened") == 1, "within half an hour it is the same incident"
    world.beat()
    world.look()
    world.passes(hours=1, beating=True)
    world.passes(minutes=17)
    assert [one.status for one in world.silences] == ["resolved", "triggered"]


def test_who_beats_is_never_missing() -> None:
    world = Watch()
    world.beat()
    world.passes(hours=3, beating=True)
    assert world.silences == []


def test_a_heartbeat_that_resolves_is_missing_too() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=5)
    world.beat(status="resolved")
    world.passes(minutes=12)
    [silence] = world.silences
    assert "Its Alertmanager said at 2026-03-02 03:05:00 UTC that the alert fires no more." in silence.summary


def test_who_is_named_is_waited_for_from_the_first_start_on() -> None:
    world = Watch(PROD)
    world.look()
    world.passes(minutes=6, beating=True)
    world.passes(minutes=1, beating=True)
    assert [one.key for one in world.silences] == ["tocsin/heartbeat/other/watchdog"]
    assert "was never heard since 2026-03-02 03:00:00 UTC" in world.incident.summary


def test_who_is_not_named_sends_an_alert_like_any_other() -> None:
    world = Watch(PROD.replace("prometheus, other", "other"))
    world.alert("Watchdog")
    assert len(world.store.incidents_by_id) == 1


def test_the_rest_of_its_group_is_read_as_ever() -> None:
    world = Watch(f"{WITHOUT}\nheartbeats: [{{name: all, when: {{pod: beat}}}}]\n")
    world.alert(pods=["beat", "pod-1"])
    assert list(world.incident.alerts.states) == ["CheckoutErrors/pod-1"]
    assert ("prometheus", "all") in world.store.heartbeats.rows
    world.alert(pods=["beat"], status="resolved", truncated=1)
    assert world.incident.status == "resolved", "the group has resolved as a whole"


def test_after_an_outage_of_ours_every_sender_has_its_time_again() -> None:
    """No worker for an hour; what was received meanwhile is read after the first look."""
    world = Watch()
    world.beat()
    world.passes(minutes=5)
    world.now += timedelta(hours=1)
    world.look()
    world.passes(minutes=14)
    assert world.silences == []
    world.beat(late=timedelta(minutes=20))
    world.passes(minutes=1)
    assert world.silences == []
    world.passes(minutes=2)
    assert len(world.silences) == 1, "and then it is silent indeed"


def test_while_we_are_deaf_nobody_is_missing() -> None:
    """The receiver does not answer, or triage stands still: no probe comes through."""
    world = Watch()
    world.beat()
    world.passes(minutes=5)
    world.store.heartbeats.deaf = True
    world.passes(hours=2)
    world.store.heartbeats.deaf = False
    world.passes(minutes=15)
    assert world.silences == []
    world.passes(minutes=2)
    assert len(world.silences) == 1


def test_a_beat_that_is_read_late_ends_what_was_told_too_early() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=17)
    world.beat(late=timedelta(minutes=3))
    world.look()
    assert [one.status for one in world.silences] == ["resolved"]


def test_an_old_beat_that_comes_late_ends_nothing() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=20)
    world.beat(late=timedelta(minutes=16))
    world.look()
    assert [one.status for one in world.silences] == ["triggered"]


def test_a_silence_survives_an_outage_of_ours() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=17)
    world.now += timedelta(hours=1)
    world.look()
    world.passes(minutes=1)
    assert [one.status for one in world.silences] == ["triggered"]


@pytest.mark.parametrize("policy", [WITHOUT, PROD.replace("prometheus, ", "")], ids=["no section", "others only"])
def test_what_the_policy_no_longer_waits_for_is_over(policy: str) -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=17)
    world.adopt(policy)
    world.look()
    assert [one.status for one in world.silences] == ["resolved"]
    assert ("prometheus", "watchdog") not in world.store.heartbeats.rows


def test_a_silence_that_lasts_does_not_grow_stale() -> None:
    world = Watch(ANYBODY.replace("stale_after: 24h", "stale_after: 2h\nwhen_stale: resolve"))
    world.beat()
    world.passes(hours=5)
    assert [one.status for one in world.silences] == ["triggered"]
    assert world.log.count("alerts_joined") == 1
    assert world.log.count("alerts_seen") == 4
    world.resolve()
    world.passes(hours=3)
    assert [one.status for one in world.silences] == ["resolved"], "a person's word stands"


def test_a_person_may_resolve_it_and_the_next_silence_pages_again() -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=17)
    world.resolve()
    world.passes(hours=1)
    assert world.pages == ["primary"]
    world.beat()
    world.look()
    world.passes(minutes=17)
    assert world.pages == ["primary"] * 2


@pytest.mark.parametrize("published", [False, True])
def test_a_crash_between_mark_and_telling_costs_nothing(*, published: bool) -> None:
    world = Watch()
    world.beat()
    world.passes(minutes=16)
    world.now += timedelta(seconds=10)
    ports = world.ports

    async def dies(records: Sequence[Outgoing]) -> None:
        if published:
            await world._publish(records)
        raise Crash

    with pytest.raises(Crash):
        asyncio.run(
            heartbeats.look(
                heartbeats.HeartbeatPorts(ports.book, dies, world.policy, world.version, "incident.signals")
            )
        )
    world._settle()
    world.passes(minutes=1)
    assert len(world.silences) == 1
    assert world.log.count("alerts_joined") == 1
    assert world.pages == ["primary"]


def test_a_beat_between_the_crash_and_the_telling_opens_nothing() -> None:
    world = Watch()
    world.beat()
    world.now += timedelta(minutes=17)
    asyncio.run(world.store.heartbeats.found_missing([world.known], world.now))
    world.beat()
    world.look()
    assert world.silences == []
    assert world.known.missing_at is None


def test_redelivery_changes_nothing() -> None:
    world = Watch()
    world.redeliver = 2
    world.beat()
    world.passes(minutes=17)
    assert world.pages == ["primary"]
    world.beat()
    world.look()
    assert world.log.count("incident_resolved") == 1


def test_its_severity_and_tier_are_the_policys() -> None:
    world = Watch(f"{WITHOUT}\nheartbeats: [{{name: w, severity: SEV3, tier: 3, within: 1m}}]\n")
    world.beat()
    world.passes(minutes=3)
    assert (world.incident.severity, world.incident.priority) == (Severity.SEV3, Priority.P3)
    assert world.pages == []


def test_where_the_policy_does_not_say_how_bad_it_is_it_pages() -> None:
    """By document A a SEV2 is mailed, and a SEV1 is paged."""
    world = Watch(f"{shipped_policy('sre-guide')}\nheartbeats: [{{name: watchdog}}]\n")
    world.beat()
    world.passes(minutes=17)
    assert (world.incident.severity, len(world.pages)) == (Severity.SEV1, 1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["beats", "is silent", "we are deaf", "we are down"]), st.integers(1, 8)),
        min_size=3,
        max_size=14,
    )
)
def test_a_silence_is_open_when_and_only_when_there_is_one_that_we_could_hear(story: list[tuple[str, int]]) -> None:
    world = Watch(f"{WITHOUT}\nheartbeats: [{{name: watchdog, within: 5m}}]\n")
    world.beat()
    world.look()
    beaten_at = hearing_since = world.now
    for what, minutes in story:
        if what == "we are down":
            world.now += timedelta(minutes=minutes)
            hearing_since = world.now
        world.store.heartbeats.deaf = what == "we are deaf"
        for _ in range(minutes * 6):
            world.advance(seconds=10)
            if what == "beats":
                world.beat()
                beaten_at = world.now
            world.look()
        if what == "we are deaf":
            world.store.heartbeats.deaf = False
            world.look()
            hearing_since = world.now
        silences = [one for one in world.silences if one.is_open]
        silent, heard_nothing = world.now - beaten_at, world.now - max(beaten_at, hearing_since)
        assert len(silences) <= 1
        assert not (what == "beats" and silences)
        assert silences or heard_nothing <= timedelta(minutes=6, seconds=10)
        assert not silences or silent > timedelta(minutes=5)
    told = [entry for _, entry in world.store.log if entry.event.kind == "alerts_joined"]
    assert len(told) == sum(
        entry.event.kind in {"incident_opened", "incident_reopened"} for _, entry in world.store.log
    )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("[{name: a}, {name: a, within: 1h}]", "two heartbeats are called 'a'"),
        ("[{name: a, severity: INFO}]", "INFO opens no incident"),
        ("[{name: a, within: 5s}]", "it must be at least 1 min"),
        ("[{name: a, sender: x}]", "did you mean 'senders'"),
    ],
)
def test_what_can_be_wrong_in_the_section(section: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        parse_policy(f"{WITHOUT}\nheartbeats: {section}\n", "policy.yaml")
