"""The ledger: who started, built, stopped, was refused what, when."""

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "ledger_0001"
down_revision = None
branch_labels = ("ledger",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "vh_ledger",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("server", sa.String(255), nullable=False),
        sa.Column("workspace", sa.String(255), nullable=False),
        sa.Column("source", sa.String(2048), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    op.create_index("ix_vh_ledger_at", "vh_ledger", ["at"])
    op.create_index("ix_vh_ledger_run", "vh_ledger", ["kind", "owner", "server", "id"])
    op.create_index("ix_vh_ledger_subject", "vh_ledger", ["kind", "subject", "id"])
