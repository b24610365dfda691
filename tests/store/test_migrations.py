"""The migrations lead to the schema that tables.py describes, and only there."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from models.store import migrations
from models.store.connection import engine_url
from models.store.errors import Unavailable
from models.store.migrations import upgrade
from models.store.tables import SCHEMA
from tests.postgres import database

_CATALOGUE = """
SELECT 'column', table_name, column_name, data_type, is_nullable, coalesce(column_default, ''), is_identity
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


def test_the_migrations_make_exactly_what_the_tables_say(postgres_url: str, empty_database_url: str) -> None:
    upgrade(empty_database_url)
    with database(postgres_url, "declared") as declared:
        engine = create_engine(engine_url(declared))
        SCHEMA.create_all(engine)
        engine.dispose()
        assert catalogue(empty_database_url) == catalogue(declared)


def test_alembic_finds_nothing_left_to_do(migrated_url: str) -> None:
    engine = create_engine(engine_url(migrated_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SCHEMA) == []
    engine.dispose()


def test_upgrading_again_or_at_once_does_no_harm(empty_database_url: str) -> None:
    done: list[str] = []
    at_once = [threading.Thread(target=lambda: done.append(upgrade(empty_database_url))) for _ in range(4)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    assert done == [migrations.head()] * 4
    assert upgrade(empty_database_url) == migrations.head()


def test_a_database_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(Unavailable, match=r"PostgreSQL at 127\.0\.0\.1:1/x is unavailable \(.*\): check") as refused:
        upgrade("postgresql://tocsin:secret@127.0.0.1:1/x")
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_every_step_is_packaged() -> None:
    folder = Path(migrations.__file__).parent
    assert (folder / "script.py.mako").is_file()
    assert (folder / "env.py").is_file()


def catalogue(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(_CATALOGUE).fetchall()
    return [row for row in rows if row[1] != "alembic_version"]
