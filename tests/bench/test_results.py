"""The written figures: the names that others read in them, and which run may write which file.

The measures are the real ones; what they would load, start and ask is made up.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from tests.bench import measures
from tests.bench.__main__ import PARTIAL, RESULTS, compared, write
from tests.bench.figures import Figures
from tests.bench.load import Sent
from tests.bench.measures import MEASURES, QUICK, Run, Size
from tests.bench.system import FLOOR, OURS, System
from tests.bench.usage import Usage

AIMED_AT = [
    "latency.ratio.p50",
    "latency.ratio.p99",
    "throughput.ratio.webhooks_per_s",
    "storm.ratio.seconds",
    "deadlines.ratio.p99_ms",
]
"""Renaming one of these breaks whoever follows our speed from run to run."""


class Database:
    """A connection that has one deadline."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def execute(self, *_: object) -> Self:
        return self

    async def fetchall(self) -> list[tuple[str, float]]:
        return [("id", 10.0)]


@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> list[System]:
    """Ours takes 20 ms from webhook to page, and 200 from due to handed on; the floor half of it."""

    def slowness(system: System) -> int:
        return 2 if system.kind is OURS else 1

    async def run(system: System, *_: object) -> Run:
        sent = Sent(at={"service": 1.0}, accepted_at=1.005)
        return Run(sent, [("service", 1 + slowness(system) / 100)], 2.0, Usage())

    @contextlib.asynccontextmanager
    async def arrivals(brokers: str, _: str) -> AsyncIterator[Mapping[str, float]]:
        yield {"id": 10.2 if brokers == OURS.name else 10.1}

    async def fired(*_: object) -> tuple[float, ...]:
        return (500.0,)

    async def connect(*_: object, **__: object) -> Database:
        return Database()

    async def settled(_: int) -> float:
        return 0.0

    async def started_anew(*_: object) -> None: ...

    @contextlib.asynccontextmanager
    async def watched(_: int) -> AsyncIterator[Usage]:
        yield Usage()

    for instead in (arrivals, settled, started_anew, watched):
        monkeypatch.setattr(measures, instead.__name__, instead)
    monkeypatch.setattr(measures, "_run", run)
    monkeypatch.setattr(measures, "_fired", fired)
    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)
    return [System(kind, "", "", kind.name, 0, "") for kind in (OURS, FLOOR)]


async def measured(systems: list[System], size: Size) -> dict[str, dict[str, Figures]]:
    return {name: await compared(name, systems, size) for name in MEASURES}


async def test_the_ratios_that_others_follow_have_their_names(systems: list[System], tmp_path: Path) -> None:
    said = write(tmp_path, await measured(systems, Size()), {"machine": "two CPUs"}, Size())
    assert said == "written to .bench/results.json"
    written = json.loads((tmp_path / RESULTS).read_text())
    assert list(written) == ["latency", "throughput", "storm", "deadlines", "memory", "conditions"]
    assert {name: _at(written, name) for name in AIMED_AT} == {
        "latency.ratio.p50": 2.0,
        "latency.ratio.p99": 2.0,
        "throughput.ratio.webhooks_per_s": 0.5,
        "storm.ratio.seconds": 2.0,
        "deadlines.ratio.p99_ms": 2.0,
    }


async def test_a_partial_run_leaves_the_figures_of_a_whole_one_alone(systems: list[System], tmp_path: Path) -> None:
    whole = await measured(systems, Size())
    write(tmp_path, whole, {}, Size())
    before = (tmp_path / RESULTS).read_text()
    for results, size in ((whole, QUICK), ({"storm": whole["storm"]}, Size())):
        said = write(tmp_path, results, {"part": True}, size)
        assert said == "written to .bench/partial.json; a partial run, so .bench/results.json stays as it is"
        assert (tmp_path / RESULTS).read_text() == before
        assert list(json.loads((tmp_path / PARTIAL).read_text())) == [*results, "conditions"]


async def test_each_backlog_is_met_by_a_worker_just_started(
    systems: list[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a larger peak behind the larger one is the backlog's doing, and not that of what came before."""
    done: list[object] = []

    async def run(_: System, __: object, number: int, ___: int) -> Run:
        done.append(number)
        return Run(Sent(), [], 0.0, Usage(peak_mib={"worker": 200.0}))

    async def started_anew(_: int, role: str) -> None:
        done.append(role)

    monkeypatch.setattr(measures, "_run", run)
    monkeypatch.setattr(measures, "started_anew", started_anew)
    figures = await measures.memory(systems[0], Size())
    assert done == ["worker", 500, "worker", 2000]
    assert figures == {"mib_500_behind": {"worker": 200.0}, "mib_2000_behind": {"worker": 200.0}}


def _at(written: Mapping[str, Any], path: str) -> Any:
    return reduce(lambda found, name: found[name], path.split("."), written)
