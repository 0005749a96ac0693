"""Logins of people for git hosts, sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "credentials_0001"
down_revision = None
branch_labels = ("credentials",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "vh_credential",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("username", sa.String(255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("used", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_vh_credential"),
        sa.UniqueConstraint("owner", "origin", name="uq_vh_credential_owner"),
    )
