"""Which incident another is attached to, and open incidents by service

Revises 0002; 2026-11-21.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = "status <> 'resolved'"


def upgrade() -> None:
    op.add_column("incident", sa.Column("parent", sa.Text(), nullable=True))
    op.create_index(
        "incident_attached", "incident", ["parent"], postgresql_where=sa.text(f"parent IS NOT NULL AND {_OPEN}")
    )
    op.drop_index("incident_open", "incident")
    op.create_index("incident_open", "incident", ["service", "severity"], postgresql_where=sa.text(_OPEN))


def downgrade() -> None:
    """There is no way back but a backup: rows are an audit trail."""
    raise NotImplementedError
