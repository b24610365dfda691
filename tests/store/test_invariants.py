"""What holds whatever happens in whatever order, with couriers and deadlines in between. Hypothesis makes it up."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from functools import reduce
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.deliveries import Delivered, Outcome, Provider, Refused, RetryLater
from models.events import Event
from models.evolution import evolve
from models.findings import FindingKind
from models.severity import Severity
from models.signals import Signal
from models.state import Incident
from models.store.rows import IncidentFilter
from models.store.store import Store
from streams.verify import Examiner
from tests.store.desk import LEASE, Desk, OnePolicy, alerts, reached

KEYS = ("a", "b")
OUTCOMES: tuple[Outcome, ...] = (
    Delivered("sent", {"channel": "C1"}),
    Refused("no"),
    RetryLater("429"),
    RetryLater("reset", unknown=True),
)
ALERT = st.tuples(
    st.just("alert"),
    st.sampled_from(KEYS),
    st.sampled_from(["x", "y\x00"]),
    st.sampled_from(["firing", "resolved"]),
    st.sampled_from([Severity.SEV1, Severity.SEV3]),
)
ACT = st.one_of(
    st.tuples(st.just("batch"), st.lists(ALERT, min_size=1, max_size=5)),
    st.tuples(st.sampled_from(["acknowledge", "escalate", "resolve", "again", "time passes"]), st.sampled_from(KEYS)),
    st.tuples(st.just("send"), st.sampled_from(list(Provider)), st.sampled_from(OUTCOMES), st.booleans()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, min_size=1, max_size=12))
def test_whatever_happens(acts: list[tuple[object, ...]], migrated_url: str) -> None:
    asyncio.run(live_through(acts, migrated_url))


async def live_through(acts: list[tuple[object, ...]], url: str) -> None:
    store = await Store.open(url)
    life = Life(Desk(store, url))
    try:
        await life.desk.rows(
            "TRUNCATE incident, event, deadline, delivery, inbox, receipt, alert_group, number_counter, review"
        )
        for act in acts:
            await life.act(*act)
            await life.check()
    finally:
        await store.close()


class Life:
    """One story, and what must be true after every sentence of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.told: list[Signal] = []
        self.sent: dict[str, list[int]] = {}

    async def act(self, what: object, *how: object) -> None:
        match what, how:
            case "batch", (list() as told,):
                batch = [alerts(key, severity, name=name, status=status) for _, key, name, status, severity in told]
                self.told += batch
                await self.desk.handle(*batch)
            case "again", _:
                before = await self.desk.everything()
                await self.desk.handle(*self.told)
                assert await self.desk.everything() == before
            case "time passes", _:
                await self.time_passes()
            case "send", (Provider() as provider, outcome, bool() as crash):
                await self.send(provider, cast("Outcome", outcome), crash=crash)
            case (("acknowledge" | "escalate" | "resolve"), (str() as key,)):
                if await self.desk.rows("SELECT FROM incident WHERE key = %s", key):
                    await getattr(self.desk, str(what))(key)

    async def time_passes(self) -> None:
        await self.desk.rows("UPDATE deadline SET next_at = now() WHERE status IN ('pending', 'claimed')")
        for due in await self.desk.store.ledger.claim_due(100, LEASE):
            if due.topic == "incident.signals":
                signal = reached(await self.desk.one("SELECT * FROM deadline WHERE id = %s", due.id))
                self.told.append(signal)
                await self.desk.handle(signal)

    async def send(self, provider: Provider, outcome: Outcome, *, crash: bool) -> None:
        outbox = self.desk.store.outbox
        claims = await outbox.claim(provider, 10, timedelta(0) if crash else LEASE)
        lanes = [one.delivery.lane for one in claims]
        assert len(lanes) == len(set(lanes))
        for one in claims:
            row = await self.desk.one("SELECT seq, cancel_requested FROM delivery WHERE id = %s", one.delivery.id)
            assert not row["cancel_requested"], "a page that was taken back was handed out"
            order = self.sent.setdefault(one.delivery.lane, [])
            assert not order or row["seq"] >= order[-1], "a lane lost its order"
            order.append(row["seq"])
        if not crash:
            await outbox.finish([(one, outcome, timedelta(0)) for one in claims])

    async def check(self) -> None:
        incidents = await self.desk.store.reads.incidents(IncidentFilter(), None, 100)
        for incident in incidents:
            log = await self.desk.store.reads.timeline(incident.id)
            folded = reduce(lambda state, entry: evolve(state, cast("Event", entry.event), entry.at), log, None)
            assert folded == incident
        await self.check_ledger(incidents)
        ended = await self.desk.rows(
            "SELECT FROM deadline WHERE (ended_at IS NULL) <> (status IN ('pending', 'claimed'))"
        )
        assert ended == []
        after_ack = """
            SELECT FROM delivery d JOIN incident i ON i.id = d.incident_id
            WHERE d.kind = 'page' AND d.status = 'pending' AND i.status <> 'triggered'
        """
        assert await self.desk.rows(after_ack) == [], "a page waits to be sent though somebody has taken the incident"
        superseded = """
            SELECT FROM delivery WHERE kind = 'page' AND status IN ('pending', 'sending') AND NOT cancel_requested
            GROUP BY incident_id HAVING count(*) > 1
        """
        assert await self.desk.rows(superseded) == [], "pages of two levels wait to be sent"
        span = timedelta(days=1)
        verified = await Examiner(self.desk.store.evidence, OnePolicy(), span).whole(span)
        assert [one for one in verified.findings if one.kind is not FindingKind.PAGE_LATE] == []  # alerts are of T0

    async def check_ledger(self, incidents: list[Incident]) -> None:
        armed = {deadline.id for incident in incidents for deadline in incident.deadlines.values()}
        rows = await self.desk.rows("SELECT id FROM deadline WHERE status IN ('pending', 'claimed')")
        assert armed == {cast("uuid.UUID", row["id"]) for row in rows}
