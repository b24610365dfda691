"""An operator at a terminal: the command line in this process or in one of its own, in front of a real web."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from streams.cli.root import command_line
from streams.settings import Settings
from streams.values import Bind
from tests.web.conftest import served
from tests.web.world import World, webhook

TOKEN = "api-secret"


@dataclass
class Operator:
    """Types commands. `env` is all of TOCSIN_* that they see."""

    folder: Path
    address: str = "127.0.0.1:1"
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str | None]:
        return {
            "TOCSIN_WEB_BIND": self.address,
            "TOCSIN_DATA_DIR": str(self.folder),
            "TOCSIN_API_TOKEN": TOKEN,
            "LOGNAME": "alice",
            **self.env,
        }

    def types(self, *words: str) -> Result:
        """Runs a command here."""
        return CliRunner().invoke(command_line(words), list(words), env=self.environment())

    def gets(self, *words: str) -> str:
        """The same for one that must do what it is asked; what it said."""
        result = self.types(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def reads(self, *words: str) -> Any:
        """The JSON that a command says."""
        return json.loads(self.gets(*words, "--json"))

    def fails(self, code: int, *words: str) -> str:
        """The one line on stderr of a command that ends with `code` and says nothing else."""
        result = self.types(*words)
        assert (result.exit_code, result.stdout) == (code, ""), result.output
        assert result.stderr.startswith("tocsin: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    def starts(self, *words: str, into: Path | None = None) -> subprocess.Popen[str]:
        """A process of its own; its output goes to a pipe or `into` a file."""
        env = {name: value for name, value in self.environment().items() if value is not None}
        command = [sys.executable, "-m", "streams.cli", *words]
        with into.open("w") if into else contextlib.nullcontext(subprocess.PIPE) as out:
            return subprocess.Popen(
                command, stdout=out, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **env}
            )


@contextmanager
def web(world: World) -> Iterator[str]:
    """HOST:PORT of a real web in front of `world`, on a loop of its own, since commands block theirs."""
    started, addresses, stops = threading.Event(), list[str](), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        async with served(world) as address:
            stop = asyncio.Event()
            addresses.append(address)
            stops.append((asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(15)
        yield addresses[0].removeprefix("http://")
    finally:
        for loop, stop in stops:
            loop.call_soon_threadsafe(stop.set)
        thread.join(20)


@pytest.fixture
def world() -> World:
    return World(Settings(web_bind=Bind("127.0.0.1", 0), api_token=SecretStr(TOKEN)))


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Iterator[Operator]:
    with web(world) as address:
        yield Operator(tmp_path, address)


@pytest.fixture
def lonely(tmp_path: Path) -> Operator:
    """An operator without a server."""
    return Operator(tmp_path)


def alert(operator: Operator, **labels: str) -> None:
    """Alertmanager reports an alert."""
    body = webhook()
    body["alerts"][0]["labels"].update(labels)
    body["alerts"][0]["fingerprint"] = f"{abs(hash(tuple(labels.items()))):016x}"[:16]
    url = f"http://{operator.address}/webhooks/alertmanager"
    httpx.post(url, json=body, trust_env=False).raise_for_status()
