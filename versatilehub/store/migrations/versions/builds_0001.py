"""Builds and who asked for them."""

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "builds_0001"
down_revision = None
branch_labels = ("builds",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vh_builds",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("commit", sa.String(255), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("subdir", sa.Text(), nullable=False),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("started", Moment(), nullable=True),
        sa.Column("ended", Moment(), nullable=True),
        sa.Column("pack", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("image", sa.String(255), nullable=False),
        sa.Column("image_id", sa.String(80), nullable=False),
        sa.Column("seconds", sa.JSON(), nullable=False),
        sa.Column("log_bytes", sa.Integer(), nullable=False),
        sa.Column("cancelled_by", sa.String(255), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vh_builds"),
    )
    op.create_index("ix_vh_builds_identity", "vh_builds", ["identity"])
    op.create_index("ix_vh_builds_state", "vh_builds", ["state"])
    op.create_index("ix_vh_builds_created", "vh_builds", ["created"])
    op.create_index("ix_vh_builds_owner_created", "vh_builds", ["owner", "created"])
    op.create_table(
        "vh_build_askers",
        sa.Column("build", sa.String(32), nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("asked", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["build"], ["vh_builds.id"], name="fk_vh_build_askers_build_vh_builds", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("build", "user", name="pk_vh_build_askers"),
    )
    op.create_index("ix_vh_build_askers_user", "vh_build_askers", ["user"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("vh_build_askers")
    op.drop_table("vh_builds")
