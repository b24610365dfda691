"""A broker and a database that are not `up`'s own: they go away and come back as the story says."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.peers.process import free_ports
from tests.stack.stack import Command, Stack, kill_trees
from tests.waiting import eventually


@dataclass
class Backend:
    """`python -m streams.serve NAME` on a port that stays the same, with data that stays too."""

    name: str
    stack: Stack
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: Command | None = None

    @property
    def folder(self) -> Path:
        return self.stack.folder / "backends"

    def start(self) -> None:
        """Returns once it answers."""
        environ = {"TOCSIN_DATA_DIR": str(self.folder)}
        self.process = self.stack.command(
            "streams.serve", self.name, str(self.port), log=f"{self.name}.log", environ=environ
        )
        eventually(self.answers, within=30)

    def kill(self) -> None:
        """kill -9 of it and all under it."""
        assert self.process is not None
        kill_trees([self.process.pid])
        self.process.end()

    def answers(self) -> bool:
        if self.name == "database":
            with contextlib.suppress(OSError, psycopg.OperationalError), psycopg.connect(self.url()):
                return True
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self) -> str:
        password = (self.folder / "database" / "password").read_text()
        return f"postgresql://tocsin:{quote(password)}@{self.address()}/tocsin?connect_timeout=2"
