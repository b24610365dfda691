"""The ledger under any order of events: what may be committed never passes a record that is not handled."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.ledger import WINDOW_RECORDS, Ledger

TP0 = TP("topic", 0)


def records(*offsets: int) -> dict[TP, list[Any]]:
    return {TP0: [SimpleNamespace(offset=offset, key=b"k", value=b"v") for offset in offsets]}


class AnyOrder(RuleBasedStateMachine):
    """Fetches with gaps, completions in any order (late ones too), commits, and rewinds to the last commit."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.log: list[int] = []  # the offsets that exist; compaction and aborted transactions leave gaps
        self.position = 0  # index into the log of what is fetched next
        self.fetched: set[int] = set()  # delivered at least once, so that it can be completed at any time
        self.handled: set[int] = set()
        self.committed = 0

    @rule(gap=st.integers(min_value=1, max_value=4), count=st.integers(min_value=1, max_value=5))
    def produce(self, gap: int, count: int) -> None:
        start = (self.log[-1] if self.log else -1) + gap
        self.log.extend(range(start, start + count))

    @rule(count=st.integers(min_value=1, max_value=7))
    def fetch(self, count: int) -> None:
        batch = self.log[self.position : self.position + count]
        self.position += len(batch)
        self.fetched.update(batch)
        self.ledger.fetched(records(*batch))

    @precondition(lambda self: self.fetched)
    @rule(data=st.data())
    def handle(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.fetched)))
        self.handled.add(offset)
        self.ledger.done(TP0, offset)

    @rule()
    def commit(self) -> None:
        offset = self.ledger.committable(TP0)
        if offset is not None and offset > self.committed:
            self.committed = offset

    @rule()
    def rewind(self) -> None:
        """A rebalance, or a worker that was killed: what is fetched next is what was committed last."""
        self.ledger.forget([TP0])
        self.position = sum(offset < self.committed for offset in self.log)

    @invariant()
    def nothing_unhandled_is_below_a_commit(self) -> None:
        committable = max(self.committed, self.ledger.committable(TP0) or 0)
        assert [offset for offset in self.log if offset < committable and offset not in self.handled] == []

    @invariant()
    def the_count_is_what_may_still_hold_the_commit(self) -> None:
        assert 0 <= self.ledger.in_flight("topic") <= len(self.fetched)

    def teardown(self) -> None:
        """Once everything is handled, everything is committable: nothing holds the offset back for ever."""
        self.fetch(len(self.log) + 1)
        for offset in self.fetched:
            self.ledger.done(TP0, offset)
        assert self.ledger.in_flight("topic") == 0
        if self.log and self.ledger.committable(TP0) is not None:
            assert self.ledger.committable(TP0) == self.log[-1] + 1
        super().teardown()


TestAnyOrder = AnyOrder.TestCase


def test_a_topic_that_is_not_handled_is_not_fetched_further_and_others_are() -> None:
    ledger = Ledger()
    ledger.fetched(records(*range(WINDOW_RECORDS)))
    assert not ledger.has_room("topic")
    assert ledger.has_room("other")
    ledger.done(TP0, 17)
    assert ledger.has_room("topic")
    ledger.forget([TP0])
    assert ledger.in_flight("topic") == 0
    assert ledger.oldest_fetched_at("topic") is None


def test_a_topic_created_anew_starts_below_what_was_fetched() -> None:
    ledger = Ledger()
    ledger.fetched(records(1000))
    ledger.done(TP0, 1000)
    ledger.fetched(records(0, 1))
    ledger.done(TP0, 1)
    assert ledger.committable(TP0) == 0
