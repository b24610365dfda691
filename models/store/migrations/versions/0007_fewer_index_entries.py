"""What changes seldom is what indexes ask, and the log is written once

Revises 0006; 2026-11-21.

PostgreSQL updates a row in place (HOT) only where no index asks what has changed, and where the page has room. The
derived columns are computed for every row that is there: the table is written anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LIVE = "status IN ('pending', 'sending')"
_STATUSES = "status IN ('pending', 'sending', 'delivered', 'refused', 'cancelled')"
_UNTOLD = "kind = 'page' AND incident_id IS NOT NULL AND reported_at IS NULL AND status <> 'cancelled'"


def upgrade() -> None:
    for table in ("delivery", "incident", "receipt"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
    _deliveries()
    _feed()


def _deliveries() -> None:
    for name in ("live", "lane", "page", "unreported", "refused"):
        op.drop_index(f"delivery_{name}", "delivery")
    op.drop_constraint(op.f("delivery_status"), "delivery")
    op.execute(f"UPDATE delivery SET ended_at = next_at WHERE ended_at IS NULL AND NOT ({_LIVE})")  # noqa: S608 (constants of this module)
    op.execute(f"UPDATE delivery SET ended_at = NULL WHERE ended_at IS NOT NULL AND {_LIVE}")  # noqa: S608 (constants of this module)
    # `status` goes behind `body`: of a row that changes, what stands before the first change is not logged again.
    op.alter_column("delivery", "status", new_column_name="old_status")
    op.execute("ALTER TABLE delivery ADD COLUMN status text GENERATED ALWAYS AS (old_status) STORED")
    op.execute("ALTER TABLE delivery ALTER COLUMN status DROP EXPRESSION")
    op.drop_column("delivery", "old_status")
    op.alter_column("delivery", "status", nullable=False)
    op.execute(
        f"ALTER TABLE delivery ADD COLUMN untold boolean NOT NULL GENERATED ALWAYS AS ({_UNTOLD}) STORED,"
        " ADD COLUMN refused boolean NOT NULL GENERATED ALWAYS AS (status = 'refused') STORED,"
        f" ADD CONSTRAINT delivery_status CHECK ({_STATUSES}),"
        f" ADD CONSTRAINT delivery_ended CHECK ((ended_at IS NULL) = ({_LIVE}))"
    )
    queued, live = sa.text("ended_at IS NULL AND urgency >= 0"), sa.text("ended_at IS NULL")
    op.create_index("delivery_live", "delivery", ["provider", "urgency", "seq"], postgresql_where=queued)
    op.create_index("delivery_lane", "delivery", ["lane", "seq"], postgresql_where=live)
    op.create_index("delivery_untold", "delivery", ["created_at"], postgresql_where=sa.text("untold"))
    op.create_index("delivery_refused", "delivery", ["provider"], postgresql_where=sa.text("refused"))


def _feed() -> None:
    op.create_table(
        "unpublished",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("at", "owner_id", "last", name=op.f("unpublished_pkey")),
    )
    op.execute(
        "INSERT INTO unpublished (at, owner_id, last, first) SELECT at, owner_id, seq, seq FROM event"
        " WHERE published_at IS NULL AND stream = 'incident'"
    )
    op.drop_index("event_unpublished", "event")
    op.drop_column("event", "published_at")


def downgrade() -> None:
    """There is no way back but a backup: rows are an audit trail."""
    raise NotImplementedError
