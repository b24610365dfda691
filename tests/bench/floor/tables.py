"""The floor's tables and statements: the rows that one incident costs, written from arrays."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (signal_id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS incident (
    key text PRIMARY KEY, title text NOT NULL, severity text NOT NULL, alerts int NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS event (
    key text NOT NULL, seq int NOT NULL, kind text NOT NULL, body json NOT NULL, PRIMARY KEY (key, seq)
);
CREATE TABLE IF NOT EXISTS deadline (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), key text NOT NULL, name text NOT NULL, due_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'pending'
);
CREATE INDEX IF NOT EXISTS deadline_due ON deadline (due_at, id) WHERE status = 'pending';
"""

# Arrays travel in binary: as text, psycopg escapes every quote in them by a regular expression.
WRITE = (
    "INSERT INTO inbox (signal_id) SELECT unnest(%(ids)b::uuid[]) ON CONFLICT DO NOTHING",
    """INSERT INTO incident (key, title, severity, alerts)
       SELECT * FROM unnest(%(keys)b::text[], %(titles)b::text[], %(severities)b::text[], %(counts)b::int[])
       ON CONFLICT (key) DO UPDATE SET alerts = excluded.alerts""",
    """INSERT INTO event (key, seq, kind, body)
       SELECT key, seq, kind, CASE seq WHEN 2 THEN alerts ELSE '{}' END::json
       FROM unnest(%(keys)b::text[], %(alerts)b::text[]) AS given (key, alerts),
            (VALUES (1, 'opened'), (2, 'joined'), (3, 'paged')) AS kinds (seq, kind)
       ON CONFLICT DO NOTHING""",
    """INSERT INTO deadline (key, name, due_at)
       SELECT unnest(%(keys)b::text[]), 'acknowledge', now() + interval '1 day'""",
)

# statement_timestamp(), because only a stable function can bound a scan of the index.
CLAIM = """
SELECT id, key, name FROM deadline WHERE status = 'pending' AND due_at <= statement_timestamp()
ORDER BY due_at, id LIMIT 100 FOR UPDATE SKIP LOCKED
"""
FIRED = "UPDATE deadline SET status = 'fired' WHERE id = ANY(%s)"
UNTIL_NEXT = "SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float FROM deadline WHERE status = 'pending'"
CHANNEL = "deadlines"
