"""The real stack, started once per kind of broker for the whole session, and looked after between tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stack.providers import Providers, providers
from tests.stack.stack import Stack

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts real processes; `-m "not stack"` leaves it out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stack)


class Running:
    """The stack of one kind of broker; a fresh one where a test left the last one unusable."""

    def __init__(self, kafka: str | None, peer: Providers, folders: pytest.TempPathFactory) -> None:
        self._kafka = kafka
        self._peer = peer
        self._folders = folders
        self.stack: Stack | None = None

    def usable(self) -> Stack:
        stack = self.stack
        if stack is not None and (stack.up is None or stack.up.leash.poll() is not None or not stack.is_ready()):
            stack.stop()
            stack = None
        if stack is None:
            stack = self.stack = Stack(self._folders.mktemp("stack"), self._peer, kafka=self._kafka)
            stack.start()
        return stack


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    kafka = str(request.getfixturevalue("kafka_bootstrap")) if request.param == "kafka" else None
    with providers() as peer:
        running = Running(kafka, peer, tmp_path_factory)
        try:
            yield running
        finally:
            if running.stack is not None:
                running.stack.stop()


@pytest.fixture
def stack(running: Running) -> Iterator[Stack]:
    """A whole Tocsin that is ready. Its processes say nothing that a person should not have to read."""
    stack = running.usable()
    said_before = len(stack.output())
    stack.providers.begin()
    yield stack
    stack.providers.faults.clear()
    stack.providers.release()
    assert_calm(stack.output()[said_before:])


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Callable[[], Stack]]:
    """Makes Tocsins of this test's own, not started yet."""
    made: list[Stack] = []
    with ExitStack() as peers:

        def make() -> Stack:
            made.append(Stack(tmp_path / f"another-{len(made)}", peers.enter_context(providers())))
            return made[-1]

        yield make
        for stack in made:
            stack.stop()
    for stack in made:
        assert_calm(stack.output())


@pytest.fixture
def another(others: Callable[[], Stack]) -> Stack:
    """One of them."""
    return others()


def assert_calm(output: str) -> None:
    """No process may ever show a traceback."""
    if "Traceback" in output:
        start = output.index("Traceback")
        pytest.fail(f"a process showed a traceback:\n{output[max(0, start - 500) : start + 4000]}", pytrace=False)
