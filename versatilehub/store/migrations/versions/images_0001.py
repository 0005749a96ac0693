"""Launches, pins and publications of images; what is warmed and which deliveries were taken."""

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "images_0001"
down_revision = None
branch_labels = ("images",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _launches()
    _needs()
    _warmings()


def _launches() -> None:
    op.create_table(
        "vh_images",
        sa.Column("image_id", sa.String(80), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("launches", sa.Integer, nullable=False),
        sa.Column("launched_at", Moment),
        sa.Column("doomed_at", Moment),
    )
    op.create_table(
        "vh_image_launchers",
        sa.Column(
            "image_id",
            sa.String(80),
            sa.ForeignKey("vh_images.image_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("user", sa.String(255), primary_key=True),
        sa.Column("launched_at", Moment, nullable=False),
    )
    op.create_table(
        "vh_image_servers",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("server", sa.String(255), primary_key=True),
        sa.Column("image_id", sa.String(80), nullable=False, index=True),
        sa.Column("launched_at", Moment, nullable=False),
    )


def _needs() -> None:
    op.create_table(
        "vh_image_pins",
        sa.Column("image_id", sa.String(80), primary_key=True),
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("pinned_at", Moment, nullable=False),
    )
    op.create_table(
        "vh_image_publications",
        sa.Column("identity", sa.String(64), primary_key=True),
        sa.Column("repository", sa.String(400), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("image_id", sa.String(80), nullable=False, index=True),
        sa.Column("published_at", Moment, nullable=False),
    )


def _warmings() -> None:
    op.create_table(
        "vh_image_warmings",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("requested_at", Moment),
        sa.Column("started_at", Moment),
        sa.Column("finished_at", Moment),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("message", sa.String(1000), nullable=False),
    )
    op.create_table(
        "vh_image_deliveries",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("received_at", Moment, nullable=False, index=True),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("deliveries", "warmings", "publications", "pins", "servers", "launchers"):
        op.drop_table(f"vh_image_{name}")
    op.drop_table("vh_images")
