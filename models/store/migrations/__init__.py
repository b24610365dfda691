"""The way to the schema, step by step. A released step is never edited and none goes back; `upgrade` runs what is missing.

Works without alembic.ini, from the installed package.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from models.store.connection import engine_url, place_of
from models.store.errors import Unavailable, unavailable

_ONE_AT_A_TIME = 7_268_110_443_520_001
"""Key of the advisory lock that makes concurrent upgrades wait for each other."""


def upgrade(url: str) -> str:
    """Brings the database to this version's schema; does nothing when it is there. Returns the revision. Raises Unavailable."""
    engine = create_engine(engine_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return _revision(connection) or ""
    except (OperationalError, psycopg.OperationalError) as error:
        raise Unavailable(unavailable(place_of(url), getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()


async def migrate(url: str) -> str:
    """The same, for callers that run an event loop."""
    return await asyncio.to_thread(upgrade, url)


def head() -> str:
    """The revision that this version of the program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
