"""What `tocsin up` runs: the embedded parts that nothing outside replaces, then migrations, then web and worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta

from streams.child import Child
from streams.endpoints import kept_port
from streams.recording import whats_recorded
from streams.settings import Settings, check_exposure, policy_in_force
from streams.trust import trusted


def checked(settings: Settings) -> None:
    """What would keep any of the processes from starting, found before one is. Raises SettingsError."""
    check_exposure(settings)
    whats_recorded(settings, policy_in_force(settings).policy, os.environ)
    trusted(settings.ca_file)


def plan(settings: Settings) -> Iterator[Child]:
    """The children, in the order in which they start. Called once the data directory is ours: it chooses ports."""
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
