"""What retention finds old rows by

Revises 0001; 2026-11-21.

Block ranges, not trees: rows are old together, and a tree would cost every alert a write.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (("inbox", "at"), ("deadline", "armed_at"), ("delivery", "created_at")):
        op.create_index(
            f"{table}_age",
            table,
            [column],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "true", "pages_per_range": "32"},
        )


def downgrade() -> None:
    """There is no way back but a backup: rows are an audit trail."""
    raise NotImplementedError
