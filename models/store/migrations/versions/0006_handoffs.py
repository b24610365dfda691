"""Up to which instant handoffs were told

Revises 0005; 2026-11-21.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "handoff",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("upto", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("schedule", name=op.f("handoff_pkey")),
    )


def downgrade() -> None:
    """There is no way back but a backup: rows are an audit trail."""
    raise NotImplementedError
