"""Sizes of volumes as last measured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "usage_0001"
down_revision = None
branch_labels = ("usage",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "vh_volume_sizes",
        sa.Column("volume", sa.String(128), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("volume", name="pk_vh_volume_sizes"),
    )
