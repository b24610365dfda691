"""The migrations lead to the schema that tables.py describes, and only there."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from models.store import migrations
from models.store.connection import engine_url
from models.store.errors import Unavailable
from models.store.migrations import upgrade
from models.store.store import Store
from models.store.tables import SCHEMA
from tests.postgres import database

_BEFORE_0007 = """
INSERT INTO incident SELECT gen_random_uuid(), 'k', 1, 'INC-1', 3, 'triggered', 'SEV1', 'P0', 1, 's', 'e', 't', 'p',
    now(), NULL, NULL, NULL, NULL, now(), '{}';
INSERT INTO event (owner_id, stream, seq, at, kind, body, signal_id, published_at)
SELECT id, e.stream, e.seq, now() + e.seq * interval '1 s', 'k', '{}', gen_random_uuid(), e.published_at
FROM incident, (VALUES ('incident', 1, now()), ('incident', 2, NULL), ('incident', 3, NULL), ('review', 1, NULL))
    AS e(stream, seq, published_at);
INSERT INTO delivery (id, incident_id, incident_key, provider, kind, lane, urgency, status, body, ended_at, reported_at)
SELECT gen_random_uuid(), CASE WHEN d.lane <> 'test' THEN i.id END, 'k', 'pagerduty', d.kind, d.lane, 0, d.status,
    json_build_object('lane', d.lane), d.ended_at, d.reported_at
FROM incident i, (VALUES
    ('waits', 'page', 'pending', NULL, NULL), ('under way', 'page', 'sending', NULL, NULL),
    ('told', 'page', 'delivered', now(), now()), ('untold', 'page', 'delivered', now(), NULL),
    ('refused', 'page', 'refused', now(), NULL), ('withdrawn', 'page', 'cancelled', now(), NULL),
    ('test', 'page', 'delivered', now(), NULL), ('message', 'notice', 'sending', NULL, NULL),
    ('by hand', 'notice', 'delivered', NULL, NULL), ('again by hand', 'notice', 'pending', now(), NULL)
) AS d(lane, kind, status, ended_at, reported_at);
"""
_CATALOGUE = """
SELECT 'column', table_name, column_name, data_type, is_nullable,
    coalesce(column_default, generation_expression, ''), is_identity
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'options', relname, reloptions::text, '', '', '', ''
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
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


async def test_step_0007_knows_what_is_under_way(empty_database_url: str) -> None:
    engine = create_engine(engine_url(empty_database_url))
    with engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    engine.dispose()
    with psycopg.connect(empty_database_url) as older:
        older.execute(_BEFORE_0007)
    upgrade(empty_database_url)
    store = await Store.open(empty_database_url)
    with psycopg.connect(empty_database_url) as upgraded:

        def lanes(which: str) -> list[str]:
            return [lane for (lane,) in upgraded.execute(f"SELECT lane FROM delivery WHERE {which} ORDER BY seq")]

        assert lanes("ended_at IS NULL") == ["waits", "under way", "message", "again by hand"]
        assert lanes("status IN ('pending', 'sending')") == lanes("ended_at IS NULL")
        assert lanes("untold") == ["waits", "under way", "untold", "refused"]
        assert lanes("refused") == ["refused"]
        assert lanes("body->>'lane' = lane") == lanes("true")
    [waiting] = await store.log.unpublished(10)
    assert [entry.seq for entry in waiting.events] == [2, 3]
    await store.log.published([waiting])
    assert await store.log.unpublished(10) == []
    await store.close()


def test_every_step_is_packaged() -> None:
    folder = Path(migrations.__file__).parent
    assert (folder / "script.py.mako").is_file()
    assert (folder / "env.py").is_file()


def catalogue(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(_CATALOGUE).fetchall()
    return [row for row in rows if row[1] != "alembic_version"]
