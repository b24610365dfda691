"""What a database is, for people who ask: the revision of its schema, and its clock. Changes nothing in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from models.store.connection import engine_url, place_of
from models.store.errors import Unavailable, unavailable


@dataclass(frozen=True, slots=True)
class Seen:
    """`revision` is None before the first migration."""

    revision: str | None
    now: datetime
    version: str


def look(url: str) -> Seen:
    """Connects once. Raises Unavailable."""
    place = place_of(url)
    engine = create_engine(engine_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            now, version = connection.execute(text("SELECT clock_timestamp(), current_setting('server_version')")).one()
            return Seen(MigrationContext.configure(connection).get_current_revision(), now, str(version))
    except (OperationalError, psycopg.OperationalError) as error:
        raise Unavailable(unavailable(place, getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()
