"""Maintenance windows

Revises 0003; 2026-11-21.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenance_window",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watched_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "status IN ('planned', 'started', 'ended', 'cancelled')", name=op.f("maintenance_window_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("maintenance_window_pkey")),
    )
    op.create_index("maintenance_window_watched", "maintenance_window", ["watched_until"])
    _widen("event", "stream", ("incident", "review", "maintenance"))
    _widen("deadline", "topic", ("incident.signals", "review.signals", "maintenance.signals"))


def _widen(table: str, column: str, values: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{value}'" for value in values)
    op.drop_constraint(op.f(f"{table}_{column}"), table)
    op.create_check_constraint(op.f(f"{table}_{column}"), table, f"{column} IN ({listed})")


def downgrade() -> None:
    """There is no way back but a backup: rows are an audit trail."""
    raise NotImplementedError
