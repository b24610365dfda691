"""The demo's story on a Tocsin in memory whose clock runs fast: it holds under every profile, and says if not.

On the real stack it is played by tests/stack/test_demo.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from agents import deadlines, delivery
from models.deliveries import Provider
from models.policy_file import shipped_policy
from streams import topics
from streams.demo import story
from streams.settings import read_settings
from streams.values import Bind
from tests.web.conftest import served
from tests.web.world import World
from tests.world import takes

PROFILES = ("default", "sre-guide", "runbook", "sre-practices", "platform-v2", "operations-review")
PACE = 20
"""Seconds of the story in one of the test."""
LOOK_EVERY = 0.01


class Fast(World):
    """A world that lives: its deadlines fire, and its providers take what there is."""

    async def live(self) -> None:
        began = time.monotonic()
        while True:
            self.ahead = timedelta(seconds=(PACE - 1) * (time.monotonic() - began))
            await deadlines.emit_due(self.store, self.publish)
            for provider in Provider:
                claimed = await self.store.claim(provider, 100, timedelta(seconds=30))
                await self.store.finish([(one, takes(one.delivery), None) for one in claimed])
            await delivery.report(self.store, self.publish, topics.SIGNALS)
            await asyncio.sleep(LOOK_EVERY)

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[str]:
        async with served(self) as address:
            life = asyncio.create_task(self.live())
            yield address
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life


@contextlib.contextmanager
def in_memory(folder: Path) -> Iterator[str]:
    """Stands in for `tocsin up`, in a thread."""
    told = {"policy": str(folder / "policy.yaml"), "web_bind": Bind("127.0.0.1", 0)}
    world = Fast(read_settings().model_copy(update=told))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(world.alive()) as address:
        yield address


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(story, "_running", in_memory)
    monkeypatch.setattr(story, "LOOK_EVERY", LOOK_EVERY)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_story_holds_under_every_profile(profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = story.run(profile)
    said = capsys.readouterr()
    assert code == 0, said
    assert "the whole incident took" in said.out
    assert list(tmp_path.iterdir()) == [], "it tidies up"


def test_a_step_that_does_not_happen_fails_it_and_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(story, "STEP_WITHIN", 1.0)
    silent = yaml.safe_load(shipped_policy("default"))
    silent["channels"]["P0"] = ["slack"]
    (tmp_path / "silent.yaml").write_text(yaml.safe_dump(silent))
    code = story.run(str(tmp_path / "silent.yaml"))
    said = capsys.readouterr().out
    assert code == 1
    assert "The demo failed: within 1 s it did not happen that primary is paged\n" in said
    [folder] = tmp_path.glob("demo-*")
    assert f"What the processes said is in {folder / 'up.log'}." in said
    assert "acknowledges" not in said, "nothing is told that did not happen"
