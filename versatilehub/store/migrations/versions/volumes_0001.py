"""Tables of volumes and of who may mount them."""

import sqlalchemy as sa
from alembic import op

from versatilehub.store.base import Moment

revision = "volumes_0001"
down_revision = None
branch_labels = ("volumes",)
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "vh_volumes",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False, index=True),
        sa.Column("owner_key", sa.String(80), nullable=False, index=True),
        sa.Column("lifetime", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", Moment, nullable=False),
        sa.Column("changed", Moment, nullable=False),
        sa.Column("title", sa.String(63), nullable=False),
        sa.Column("server", sa.String(255)),
        sa.Column("workspace", sa.String(63), nullable=False),
        sa.Column("cap", sa.BigInteger),
        sa.Column("expires", Moment),
        sa.Column("kept", Moment),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
    )
    op.create_table(
        "vh_volume_members",
        sa.Column(
            "volume", sa.String(255), sa.ForeignKey("vh_volumes.name", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("who", sa.String(255), primary_key=True),
        sa.Column("is_group", sa.Boolean, primary_key=True),
        sa.Column("mode", sa.String(2), nullable=False),
    )


def downgrade() -> None:
    """Remove both."""
    op.drop_table("vh_volume_members")
    op.drop_table("vh_volumes")
