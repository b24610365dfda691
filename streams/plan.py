"""What `tocsin up` runs: the embedded parts that nothing outside replaces, then migrations, then web and worker."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from streams.child import Child
from streams.endpoints import kept_port, left_behind
from streams.listening import listening
from streams.recording import whats_recorded
from streams.settings import Settings, SettingsError, check_exposure, policy_in_force
from streams.trust import trusted

_ENDS_WITHIN: Final = 12.0
"""Seconds. The web of a run that was killed finishes what is in flight, and then lets go of the port."""


def checked(settings: Settings) -> None:
    """What would keep any of the processes from starting, found before one is. Raises SettingsError."""
    check_exposure(settings)
    whats_recorded(settings, policy_in_force(settings).policy, os.environ)
    trusted(settings.ca_file)


async def plan(settings: Settings) -> list[Child]:
    """The children, in the order in which they start. Called once the data directory is ours: it chooses ports.

    Raises SettingsError when web's port is taken, before anything is started for nothing.
    """
    is_ending = left_behind(settings.data_dir, "web")
    deadline = asyncio.get_running_loop().time() + _ENDS_WITHIN
    while True:
        try:
            with listening(settings.web_bind):
                return list(_children(settings))
        except SettingsError:
            if not is_ending or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


def _children(settings: Settings) -> Iterator[Child]:
    servers = []
    if settings.kafka is None:
        servers.append("broker")
        yield Child(name="broker", argv=_argv(settings, "broker"), provides="TOCSIN_KAFKA")
    if settings.database_url is None:
        servers.append("database")
        yield Child(
            name="database",
            argv=_argv(settings, "database"),
            provides="TOCSIN_DATABASE_URL",
            ready_within=timedelta(minutes=10),  # recovering a long log after a crash takes its time
            stop_within=timedelta(seconds=30),
        )
    yield Child(name="migrate", argv=_argv(settings, "migrate"), after=servers, once=True)
    yield Child(name="worker", argv=_argv(settings, "worker"), after=["migrate"])
    yield Child(name="web", argv=_argv(settings, "web"), after=["migrate"])


def _argv(settings: Settings, name: str) -> list[str]:
    port = [str(kept_port(settings.data_dir, name))] if name in {"broker", "database"} else []
    return [sys.executable, "-m", "streams.serve", name, *port]
